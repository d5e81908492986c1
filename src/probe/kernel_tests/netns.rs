//! Throw-away network namespaces, one for each thread that asks.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test tells what it does to its namespace, with ip(8)"
)]

use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, geteuid, gettid};

/// The other end of the veth pair.
pub(crate) const PEER: &str = "3fff:1::2";

/// A host behind it.
pub(crate) const FAR: &str = "3fff:3::2";

/// Runs a test in a new network namespace whose loopback is up.
pub(crate) fn in_netns(test: impl FnOnce() + Send + 'static) {
    if !geteuid().is_root() && std::env::var_os("CI").is_none() {
        println!("NOT RUN: only root can make a network namespace");
        return;
    }
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("unshare the network namespace: run as root");
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// `ip -6 …` in the network namespace of this thread.
pub(crate) fn ip(words: &str) {
    println!("ip -6 {words}");
    let status = Command::new("ip")
        .arg("-6")
        .args(words.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip -6 {words}: {status}");
}

pub(crate) fn set_sysctl(path: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{path}"), value).unwrap();
}

pub(crate) fn allow_datagram() {
    set_sysctl("ipv4/ping_group_range", "0 2147483647");
}

/// A host in another network namespace at the far end of `veth0`; ends on drop.
pub(crate) struct Neighbour {
    thread_id: Pid,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    /// Makes the pair, here `veth0` with 3fff:1::1 and a default route, there `veth1` with `PEER`
    /// and `routes` (words behind `ip -6 route add`).
    pub(crate) fn new(routes: &'static [&'static str]) -> Self {
        let (tell_id, id) = channel();
        let (tell_moved, moved) = channel();
        let (tell_ready, ready) = channel();
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell_id.send(gettid()).unwrap();
            moved.recv().unwrap();
            set_up_router(routes);
            tell_ready.send(()).unwrap();
            let _: Result<(), _> = ended.recv();
        });
        ip("link add veth0 type veth peer name veth1");
        let thread_id: Pid = id.recv().unwrap();
        ip(&format!("link set veth1 netns {thread_id}"));
        tell_moved.send(()).unwrap();
        ready.recv().unwrap();
        ip("link set veth0 up");
        ip("addr add 3fff:1::1/64 dev veth0 nodad");
        ip(&format!("route add default via {PEER}"));
        Self {
            thread_id,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// A host behind this one: `FAR`, over a link of `mtu` bytes; needs forwarding there.
    pub(crate) fn host_behind(&self, mtu: u32) -> Self {
        let (tell_id, id) = channel();
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell_id.send(gettid()).unwrap();
            let _: Result<(), _> = ended.recv();
        });
        let far = Self {
            thread_id: id.recv().unwrap(),
            end: Some(end),
            thread: Some(thread),
        };
        self.ip("link add veth2 type veth peer name veth3");
        self.ip(&format!("link set veth3 netns {}", far.thread_id));
        for (host, link, address) in [(self, "veth2", "3fff:3::1"), (&far, "veth3", FAR)] {
            host.ip(&format!("link set {link} mtu {mtu} up"));
            host.ip(&format!("addr add {address}/64 dev {link} nodad"));
        }
        far.ip("route add default via 3fff:3::1");
        far
    }

    /// `ip -6 …` over there.
    pub(crate) fn ip(&self, words: &str) {
        self.run(&format!("ip -6 {words}"));
    }

    /// A command over there.
    pub(crate) fn run(&self, words: &str) {
        println!("over there: {words}");
        let status = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.thread_id))
            .args(words.split(' '))
            .status()
            .unwrap();
        assert!(status.success(), "{words}: {status}");
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn set_up_router(routes: &[&str]) {
    set_sysctl("ipv6/conf/all/forwarding", "1");
    ip("link set lo up");
    ip("link set veth1 up");
    ip(&format!("addr add {PEER}/64 dev veth1 nodad"));
    ip("addr add fe80::2/64 dev veth1 nodad");
    for route in routes {
        ip(&format!("route add {route}"));
    }
}
