//! A lab of one's own, commands in it with their output printed first, and what most tests ask.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

pub(crate) const LAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rootless6");

/// The off-link address that the far side of each lab answers for.
pub(crate) const TARGET: &str = "2001:db8:53::53";

/// Generous: nothing takes half as long on a busy machine, and nothing may hang for ever.
const LIMIT_SECONDS: &str = "120";
/// debootstrap, once for each suite.
const BASE_LIMIT_SECONDS: &str = "1200";

/// Under `cargo test` all tests are threads of one process; .config/nextest.toml says the same.
const LABS_AT_ONCE: u32 = 2;
static RUNNING: Mutex<u32> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// What a command has come to.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// It must have ended with this status.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "exit status; the command is above");
        self
    }

    /// The one JSON document on stdout, whose `exit` is the exit status.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.stdout).expect("stdout is one JSON document");
        assert_eq!(document["schema"], 1);
        assert_eq!(document["exit"], self.status, "`exit` is the exit status");
        document
    }

    /// An error for people: what failed and what to type next, with these words in it.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        let talk = format!("{}{}", self.stdout, self.stderr);
        for word in words {
            assert!(talk.contains(word), "{word:?} is not said");
        }
        self
    }
}

/// A booted system; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) name: String,
}

impl Lab {
    /// A fresh system of the suite with the program in alice's PATH and the image `busybox`; none,
    /// with the reason printed, where there can be no lab.
    pub(crate) fn up(suite: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let base = run_limited(BASE_LIMIT_SECONDS, &["base", suite]);
        if base.status == 2 {
            let why = base.stderr.trim();
            assert!(
                env::var("CI").as_deref() != Ok("true"),
                "there is no lab on this machine: {why}"
            );
            println!("NOT RUN: {why}");
            return None;
        }
        base.exits(0);
        take_down_orphans();
        take_a_place();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let lab = Self {
            name: format!("t{}-{number}", std::process::id()),
        };
        run(&["up", suite, &lab.name]).exits(0);
        lab.push(PROGRAM, "/home/alice/.local/bin/rootless6");
        lab.alice("docker import /opt/lab/busybox.tar busybox")
            .exits(0);
        Some(lab)
    }

    /// Puts addresses on the far side that answer badly: [`crate::behaviour`].
    pub(crate) fn start_responder(&self) {
        let responder = Path::new(PROGRAM).with_file_name("examples/responder");
        let responder = responder.to_str().unwrap();
        run(&["responder", &self.name, responder]).exits(0);
    }

    /// Copies a program in.
    pub(crate) fn push(&self, file: &str, destination: &str) {
        run(&["push", &self.name, file, destination, "755"]).exits(0);
    }

    /// Runs a shell script as alice.
    pub(crate) fn alice(&self, script: &str) -> Output {
        run(&["sh", &self.name, "bash", "-c", script])
    }

    /// The same for what is too long to be printed.
    pub(crate) fn quietly(&self, script: &str) -> String {
        let arguments = ["sh", &self.name, "bash", "-c", script];
        let output = command(LIMIT_SECONDS, &arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        println!(
            "alice $ {script}\n{}[{}]",
            text(&output.stderr),
            output.status
        );
        assert!(output.status.success());
        text(&output.stdout)
    }

    /// The same as root.
    pub(crate) fn root(&self, script: &str) -> Output {
        run(&["root", &self.name, "bash", "-c", script])
    }

    /// Runs a shell script as root on the far side of the wire.
    pub(crate) fn internet(&self, script: &str) -> Output {
        run(&["internet", &self.name, "bash", "-c", script])
    }

    /// Writes a file of alice's, its folders too.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let quoted = text.replace('\'', r"'\''");
        let script = format!(
            "mkdir -p \"$(dirname {path})\" && printf %s '{quoted}' > {path} && cat -A {path}"
        );
        self.alice(&script).exits(0);
    }

    /// The file's text.
    pub(crate) fn read(&self, path: &str) -> String {
        self.alice(&format!("cat {path}")).exits(0).stdout
    }

    /// Plants a drop-in of docker.service and lets systemd read it.
    pub(crate) fn plant(&self, name: &str, text: &str) {
        self.write(
            &format!("~/.config/systemd/user/docker.service.d/{name}"),
            text,
        );
        self.alice("systemctl --user daemon-reload").exits(0);
    }

    /// Stops the system and boots it again.
    pub(crate) fn reboot(&self) {
        run(&["reboot", &self.name]).exits(0);
    }

    /// The same, without waiting for dockerd.
    pub(crate) fn reboot_without_dockerd(&self) {
        run(&["reboot", "--no-dockerd", &self.name]).exits(0);
    }

    /// Names, modes, link targets and bytes of everything below ~/.config, and anything temporary
    /// that was left elsewhere in the home.
    pub(crate) fn tree(&self) -> String {
        let script = "
            find .config -printf '%p %y %m %U:%G %l\\n' | sort
            find .config -type f -print0 | sort -z | xargs -0r sha256sum
            find . -path ./.local/share/docker -prune -o -name '.rootless6-*' -print";
        self.alice(script).exits(0).stdout
    }

    /// When each file below ~/.config was written, to the nanosecond.
    pub(crate) fn times(&self) -> String {
        let script = "find .config -type f -printf '%p %T@ %i\\n' | sort";
        self.alice(script).exits(0).stdout
    }

    /// Changes at each start of dockerd's unit.
    pub(crate) fn invocation(&self) -> String {
        let script = "systemctl --user show -P InvocationID docker.service";
        self.alice(script).exits(0).stdout
    }

    /// busybox's own ping6 from a container on a network.
    pub(crate) fn ping_from(&self, network: &str) -> Output {
        self.alice(&format!(
            "docker run --rm --network {network} busybox ping6 -c2 -W3 {TARGET}"
        ))
    }

    /// The same with an HTTP exchange by busybox's own nc. A dockerd of Type=simple answers before
    /// its ExecStartPost= is through: several tries.
    pub(crate) fn connect_from(&self, network: &str) -> Output {
        let get = format!(r#"printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 {TARGET} 80"#);
        self.alice(&format!(
            "docker run --rm --network {network} busybox sh -c \
                'for i in 1 2 3 4 5; do {get} && exit; sleep 1; done' | grep HTTP"
        ))
    }

    pub(crate) fn status(&self) -> Value {
        self.alice("rootless6 status --json").exits(0).json()
    }

    /// The command that most tests begin with.
    pub(crate) fn set_up(&self) -> Value {
        let setup = self.alice("rootless6 setup --yes --accept containers-restart --json");
        let document = setup.exits(0).json();
        assert_eq!(document["changed"], true);
        document
    }

    /// dockerd answers, and is on the network driver that Debian's own unit gives it.
    #[track_caller]
    pub(crate) fn runs_as_before(&self) {
        self.alice("docker version --format '{{.Server.Version}}'")
            .exits(0);
        assert_eq!(self.status()["rootlesskit"]["net"], "slirp4netns");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            // What dockerd and systemd said, without dockerd's small talk.
            run(&[
                "root",
                &self.name,
                "journalctl -n 300 --no-pager -o cat | grep -v level=[iw] | tail -n 40",
            ]);
        }
        run(&["down", &self.name]);
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

fn take_a_place() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut running = ENDED
        .wait_while(running, |running| *running >= LABS_AT_ONCE)
        .unwrap_or_else(PoisonError::into_inner);
    *running += 1;
}

/// A test that was killed could not take its lab down; the name says whose it was.
fn take_down_orphans() {
    for line in run(&["list"]).stdout.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let owner = name
            .strip_prefix('t')
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Another test may be at it already.
            run(&["down", name]);
        }
    }
}

/// The values of an outcome by check id.
#[track_caller]
pub(crate) fn outcome<'a>(verification: &'a Value, id: &str) -> &'a str {
    let checks = verification["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["id"] == id);
    check
        .unwrap_or_else(|| panic!("there is no check {id}"))
        .get("outcome")
        .and_then(Value::as_str)
        .unwrap()
}

fn run(arguments: &[&str]) -> Output {
    run_limited(LIMIT_SECONDS, arguments)
}

fn run_limited(limit: &str, arguments: &[&str]) -> Output {
    let output = command(limit, arguments).output().unwrap();
    print(&shown(arguments), output)
}

fn command(limit: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after", "10", limit, LAB])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn shown(arguments: &[&str]) -> String {
    match arguments {
        [who, _, "bash", "-c", script] => format!("{who} $ {}", script.trim()),
        _ => format!("lab {}", arguments.join(" ")),
    }
}

fn print(shown: &str, output: std::process::Output) -> Output {
    let std::process::Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    println!("{shown}\n{stdout}{stderr}[{status}]");
    assert_ne!(
        status.code(),
        Some(124),
        "`{shown}` took longer than allowed"
    );
    let status = status
        .code()
        .expect("somebody else has killed the lab, by `lab down --all` perhaps");
    Output {
        status,
        stdout,
        stderr,
    }
}
