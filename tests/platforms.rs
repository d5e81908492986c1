//! Every place where no drop-in helps: what the whole program says there, and that it changes
//! nothing. The Engines are fakes on sockets of the tests' own; they answer what the files in
//! `tests/platforms` say, in the shapes of `/version`, `/info` and `/networks`. No user bus is there.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that panics has failed; it runs the program as another user"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

#[path = "platforms/engine.rs"]
mod engine;

use engine::{Behaviour, listen};

/// Whoever is not root: the program refuses root, and tests may be run as root.
const NOBODY: u32 = 65534;

/// A home of one's own, with a runtime directory in it, and nothing else.
struct Home {
    directory: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("r6-").tempdir().unwrap();
        let home = Self {
            directory,
            variables: Vec::new(),
        };
        fs::create_dir(home.path("run")).unwrap();
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn docker_host(mut self, address: &str) -> Self {
        self.variables.push(("DOCKER_HOST", self.full(address)));
        self
    }

    /// Makes a context and chooses it, as `docker context create` and `docker context use` do.
    fn context(self, name: &str, address: &str) -> Self {
        let settings = format!(r#"{{"auths":{{}},"currentContext":"{name}"}}"#);
        self.write(".docker/config.json", &settings);
        let mut directory = String::new();
        for byte in Sha256::digest(name) {
            let _ = write!(directory, "{byte:02x}");
        }
        let meta = format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{}","SkipTLSVerify":false}}}}}}"#,
            self.full(address)
        );
        self.write(
            &format!(".docker/contexts/meta/{directory}/meta.json"),
            &meta,
        );
        self
    }

    /// An Engine that answers as on the record of this name.
    fn engine(self, socket: &str, record: &str) -> Self {
        let text = fs::read_to_string(format!("tests/platforms/{record}.json")).unwrap();
        let record = serde_json::from_str(&text).unwrap();
        self.engine_that(socket, Behaviour::Answers(record))
    }

    fn engine_that(self, socket: &str, behaviour: Behaviour) -> Self {
        let path = self.path(socket);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        listen(&path, behaviour);
        self
    }

    fn full(&self, address: &str) -> String {
        address.replace('~', self.directory.path().to_str().unwrap())
    }

    /// What the program prints and its exit status, with the home written as `~`.
    fn runs(&self, arguments: &[&str]) -> (String, i32) {
        let mut command = std::process::Command::new(program());
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("PATH", "/nonexistent")
            .envs(self.variables.iter().cloned());
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
            self.hand_over();
        }
        let output = Command::from_std(command).output().unwrap();
        let text = [output.stderr, output.stdout].concat();
        let text = String::from_utf8(text).unwrap();
        let home = self.directory.path().to_str().unwrap();
        (text.replace(home, "~"), output.status.code().unwrap())
    }

    fn hand_over(&self) {
        for path in self.all() {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn all(&self) -> Vec<PathBuf> {
        fn below(path: &Path, all: &mut Vec<PathBuf>) {
            all.push(path.to_owned());
            if path.is_dir() {
                let entries = fs::read_dir(path).unwrap();
                entries.for_each(|entry| below(&entry.unwrap().path(), all));
            }
        }
        let mut all = Vec::new();
        below(self.directory.path(), &mut all);
        all.sort();
        all
    }

    /// Names and bytes of everything.
    fn contents(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let read = |path: PathBuf| {
            let bytes = path.is_file().then(|| fs::read(&path).unwrap());
            (path, bytes)
        };
        self.all().into_iter().map(read).collect()
    }
}

/// Where everybody may run it; the build's own directory may be root's.
fn program() -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rootless6");
        fs::copy(env!("CARGO_BIN_EXE_rootless6"), &path).unwrap();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), everybody).unwrap();
        (directory, path)
    });
    path
}

/// A place: its name, what leads there, and the status with which `setup` ends.
fn places() -> Vec<(&'static str, Home)> {
    let home = Home::new;
    let desktop = ".docker/desktop/docker.sock";
    vec![
        (
            "docker-desktop-on-macos",
            home()
                .engine(".docker/run/docker.sock", "docker-desktop-on-macos")
                .docker_host("unix://~/.docker/run/docker.sock"),
        ),
        (
            "docker-desktop-on-windows",
            home()
                .engine("shared.sock", "docker-desktop-on-windows")
                .docker_host("unix://~/shared.sock"),
        ),
        (
            "docker-desktop-on-linux",
            home()
                .engine(desktop, "docker-desktop-on-linux")
                .context("desktop-linux", "unix://~/.docker/desktop/docker.sock"),
        ),
        (
            "docker-desktop-on-linux-stopped",
            home().context("desktop-linux", "unix://~/.docker/desktop/docker.sock"),
        ),
        (
            "orbstack",
            home()
                .engine(".orbstack/run/docker.sock", "orbstack")
                .context("orbstack", "unix://~/.orbstack/run/docker.sock"),
        ),
        (
            "colima",
            home()
                .engine(".colima/default/docker.sock", "colima")
                .context("colima", "unix://~/.colima/default/docker.sock"),
        ),
        (
            "lima",
            home()
                .engine(".lima/docker/sock/docker.sock", "lima")
                .context("lima-docker", "unix://~/.lima/docker/sock/docker.sock"),
        ),
        (
            "rancher-desktop",
            home()
                .engine(".rd/docker.sock", "rancher-desktop")
                .context("rancher-desktop", "unix://~/.rd/docker.sock"),
        ),
        (
            "podman",
            home()
                .engine("run/podman/podman.sock", "podman")
                .docker_host("unix://~/run/podman/podman.sock"),
        ),
        (
            "podman-on-dockers-own-socket",
            home().engine("run/docker.sock", "podman"),
        ),
        (
            "rootful",
            home()
                .engine("root/docker.sock", "rootful")
                .docker_host("unix://~/root/docker.sock"),
        ),
        ("ssh", home().docker_host("ssh://alice@example.com")),
        ("tcp", home().docker_host("tcp://192.0.2.1:2376")),
        (
            "npipe",
            home().docker_host("npipe:////./pipe/docker_engine"),
        ),
        (
            "ssh-context",
            home().context("work", "ssh://alice@example.com"),
        ),
    ]
}

#[test]
fn each_place_gets_its_sentence_its_status_and_no_change() {
    for (name, home) in places() {
        let before = home.contents();
        let (said, status) = home.runs(&["setup", "--dry-run"]);
        let mut text = format!("$ rootless6 setup --dry-run\n{said}exit {status}\n");
        assert_eq!(status, 6, "{name}: {said}");
        let (said, status) = home.runs(&["status"]);
        let _ = write!(
            text,
            "\n$ rootless6 status\n{}exit {status}\n",
            of_dockers(&said)
        );
        insta::with_settings!({ snapshot_path => "platforms/snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, text);
        });
        let (said, status) = home.runs(&["setup", "--yes", "--json"]);
        let document: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((status, &document["exit"]), (6, &Value::from(6)), "{name}");
        assert_eq!(document["changed"], false);
        assert!(document["error"]["hints"][0].is_string(), "{name}: {said}");
        assert!(home.contents() == before, "{name}: something was changed");
    }
}

/// The lines that do not depend on the machine on which the tests run.
fn of_dockers(status: &str) -> String {
    let marks = [
        "docker",
        "engine",
        "(docker-desktop)",
        "(context-elsewhere)",
        "(engine-not-rootless)",
        "hint:",
    ];
    let told =
        |line: &&str| marks.iter().any(|mark| line.contains(mark)) && !line.starts_with("unit");
    status
        .lines()
        .filter(told)
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
}

#[test]
fn verify_names_the_place_as_the_cause_and_has_no_netns_to_look_into() {
    for (name, code) in [
        ("docker-desktop-on-linux", "docker-desktop"),
        ("podman", "engine-not-rootless"),
        ("ssh", "context-elsewhere"),
    ] {
        let (_, home) = places()
            .into_iter()
            .find(|(place, _)| *place == name)
            .unwrap();
        let verify = [
            "verify",
            "--target",
            "::1",
            "--from",
            "host,netns",
            "--json",
        ];
        let (said, status) = home.runs(&verify);
        let document: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(status, 1, "{said}");
        assert_eq!(document["cause"], code, "{said}");
        let checks = document["checks"].as_array().unwrap();
        let netns = checks
            .iter()
            .find(|check| check["id"] == "netns.internet.icmp6");
        assert_eq!(netns.unwrap()["outcome"], "skip", "{said}");
    }
}

#[test]
fn a_broken_context_is_unknown_and_nothing_else() {
    let home = Home::new();
    home.write(".docker/config.json", r#"{"currentContext": "#);
    let (said, status) = home.runs(&["status", "--json"]);
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status, 0);
    assert_eq!(document["docker"], Value::Null);
    let why = document["unknown"]["docker"].as_str().unwrap();
    assert!(why.contains("~/.docker/config.json: EOF"), "{why}");
    let (said, _) = home.runs(&["status"]);
    assert!(
        said.contains("where it leads is unknown: read ~/.docker"),
        "{said}"
    );
    for code in ["docker-desktop", "context-elsewhere", "engine-not-rootless"] {
        assert!(!said.contains(code), "{code} is claimed: {said}");
    }
}

#[test]
fn what_an_engine_answers_in_bad_faith_is_unknown_in_bounded_time() {
    for (behaviour, reason) in [
        (Behaviour::Status500, "500"),
        (Behaviour::WrongTypes, "invalid type"),
        (Behaviour::NoHttp, "invalid HTTP"),
        (Behaviour::HangsUp, "connection"),
        (Behaviour::Endless, "end of file before"),
        (Behaviour::Silent, "within 10 s"),
    ] {
        let home = Home::new().engine_that("run/docker.sock", behaviour.clone());
        let (said, status) = home.runs(&["status", "--json"]);
        let document: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(status, 0);
        let why = document["unknown"]["engine"].as_str().unwrap();
        assert!(why.contains(reason), "{behaviour:?}: {why}");
        assert!(
            why.len() < 1000 && !why.contains('\x1b'),
            "{behaviour:?}: {why}"
        );
    }
}
