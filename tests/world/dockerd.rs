//! RootlessKit and the dockerd in it: two processes that do nothing, and an Engine that answers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use super::engine::Engine;
use super::manager::{Places, Settings};
use super::setting::{as_user, hand_over};

const NET: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET";
const PORT_DRIVER: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER";
const MTU: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU";
const FLAGS: &str = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS";

/// Its child ends with the test, whose end of the pipe is closed then, and it with the child.
const SCRIPT: &str =
    r#"exec 3<&0; cat <&3 >/dev/null 3<&- & echo $! >"$0/child_pid"; exec 3<&-; echo up; wait"#;

/// A dockerd that runs.
#[derive(Debug)]
pub(crate) struct Dockerd {
    /// What it was started with.
    pub(crate) settings: Settings,
    rootlesskit: Child,
    _lives_as_long_as: Option<ChildStdin>,
    _engine: Engine,
}

impl Dockerd {
    /// Which one it is: each start makes another.
    pub(crate) fn process(&self) -> u32 {
        self.rootlesskit.id()
    }

    /// Starts it; none where the settings do not go together.
    pub(crate) fn start(places: &Places, settings: Settings) -> Option<Self> {
        if refusal(&settings).is_some() {
            return None;
        }
        let state = places.run.join("dockerd-rootless");
        let _ = fs::remove_dir_all(&state);
        fs::create_dir(&state).unwrap();
        hand_over(&state);
        let mut command = Command::new("/bin/sh");
        let option = |name, variable, usual| {
            let value = settings.variable(variable).unwrap_or(usual);
            format!("--{name}={value}")
        };
        command
            .arg0("/usr/bin/rootlesskit")
            .args(["-c", SCRIPT])
            .arg(&state)
            .arg(format!("--state-dir={}", state.display()))
            .arg(option("net", NET, "slirp4netns"))
            .arg(option("port-driver", PORT_DRIVER, "builtin"))
            .arg(option("mtu", MTU, "65520"))
            .args(flags(&settings))
            .arg("/usr/bin/dockerd-rootless.sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut rootlesskit = as_user(&mut command).spawn().unwrap();
        let mut up = String::new();
        let stdout = rootlesskit.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut up).unwrap();
        assert_eq!(up, "up\n");
        let ipv6 = json(&settings).is_some_and(|json| json["ipv6"] == true);
        Some(Self {
            settings,
            _lives_as_long_as: rootlesskit.stdin.take(),
            rootlesskit,
            _engine: Engine::listen(&places.run.join("docker.sock"), ipv6),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.rootlesskit.id()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.rootlesskit.id()).unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.rootlesskit.wait();
    }
}

fn flags(settings: &Settings) -> impl Iterator<Item = &str> {
    let flags = settings.variable(FLAGS).unwrap_or_default();
    flags.split_whitespace()
}

fn json(settings: &Settings) -> Option<Value> {
    serde_json::from_str(settings.daemon_json.as_deref().unwrap_or("{}")).ok()
}

/// Why RootlessKit or dockerd would end at once. The three variables are one unit: what is written
/// by halves must not start.
pub(crate) fn refusal(settings: &Settings) -> Option<&'static str> {
    let (net, port_driver) = (settings.variable(NET), settings.variable(PORT_DRIVER));
    let ipv6 = flags(settings).any(|flag| flag == "--ipv6");
    match (net, port_driver, ipv6) {
        (None, None, false)
        | (Some("pasta"), Some("implicit"), true)
        | (Some("slirp4netns"), Some("builtin"), true) => {}
        _ => return Some("RootlessKit's drivers do not go together"),
    }
    let Some(json) = json(settings) else {
        return Some("daemon.json is no JSON");
    };
    // As every Engine before 28.0 has it.
    if json["ipv6"] == true && !json["fixed-cidr-v6"].is_string() {
        return Some("docker0 has no IPv6 subnet");
    }
    None
}
