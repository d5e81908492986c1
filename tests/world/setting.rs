//! One user's home with everything in it, and the program at work there.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::bus::Bus;
use super::dockerd::refusal;
use super::manager::{Manager, Places, Settings, UNIT};
use super::tree::Tree;

/// Whoever is not root: the program refuses root, and tests may be run as root.
pub(crate) const NOBODY: u32 = 65534;

/// However busy the machine is: whatever has not ended by then waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What asks nothing, sends nothing and has nothing random in it.
pub(crate) const SETUP: &[&str] = &[
    "setup",
    "--yes",
    "--accept",
    "containers-restart",
    "--no-verify",
    "--rehearse=never",
    "--subnet=fd5a:5a5a:5a5a:1::/64",
    "--new-networks=keep",
];

pub(crate) const UNDO: &[&str] = &["undo", "--yes"];

/// As [`SETUP`], and it is taken back if nobody confirms it. No test takes that long.
pub(crate) const SETUP_TO_BE_CONFIRMED: &[&str] = &[
    "setup",
    "--yes",
    "--accept",
    "containers-restart",
    "--no-verify",
    "--rehearse=never",
    "--subnet=fd5a:5a5a:5a5a:1::/64",
    "--new-networks=keep",
    "--confirm-within=3600",
];

pub(crate) const CONFIRM: &[&str] = &["confirm"];

/// A user's machine.
pub(crate) struct Setting {
    _directory: TempDir,
    pub(crate) places: Places,
    pub(crate) bus: Arc<Bus>,
    runtime: Option<Handle>,
    over: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    beginning: Tree,
}

/// What a run has come to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// None when it was killed.
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
}

impl Setting {
    /// A rootless Docker as its setup tool leaves it, running, with a daemon.json of the user's own
    /// and no drop-in.
    pub(crate) fn new() -> Self {
        Self::with_home("home".as_ref())
    }

    /// The same once it is set up.
    pub(crate) fn set_up() -> Self {
        let setting = Self::new();
        setting.runs_well(SETUP);
        let changed = setting.beginning().difference(&setting.tree());
        for file in ["docker/daemon.json", "docker.service.d/zz-rootless6.conf"] {
            assert!(changed.contains(file), "{file} was not written:\n{changed}");
        }
        setting
    }

    /// The same with a home of this name.
    pub(crate) fn with_home(name: &OsStr) -> Self {
        let setting = Self::stopped(name);
        assert!(setting.restart());
        setting
    }

    /// The same, and dockerd does not run.
    fn stopped(name: &OsStr) -> Self {
        let directory = tempfile::Builder::new().prefix("r6-").tempdir().unwrap();
        let home = directory.path().join(name);
        let places = Places {
            config: home.join(".config"),
            run: directory.path().join("run"),
            bin: directory.path().join("bin"),
            home,
        };
        for path in [
            &places.run,
            &places.bin,
            &places.home.join(".local/state"),
            &places.config,
        ] {
            fs::create_dir_all(path).unwrap();
        }
        for (name, prints) in [
            ("pasta", "pasta 0.0~git20250503.587980c-2"),
            ("slirp4netns", "slirp4netns version 1.2.1\nlibslirp: 4.8.0"),
            ("rootlesskit", "rootlesskit version 2.0.2"),
            ("dockerd", "Docker version 26.1.5+dfsg1, build a72d7cd"),
            ("iptables", "iptables v1.8.11 (nf_tables)"),
            ("ip6tables", "ip6tables v1.8.11 (nf_tables)"),
        ] {
            let path = places.bin.join(name);
            fs::write(&path, format!("#!/bin/sh\necho '{prints}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let unit = format!(
            "[Unit]\nDescription=Docker Application Container Engine (Rootless)\n\n[Service]\nEnvironment=PATH={}:/usr/bin:/bin\nExecStart=/usr/bin/dockerd-rootless.sh\nType=notify\n",
            places.bin.display()
        );
        hand_over_all(directory.path());
        let bus = Bus::new(Manager::new(places.clone()));
        let mut setting = Self {
            _directory: directory,
            places,
            bus,
            runtime: None,
            over: None,
            serving: None,
            beginning: Tree::default(),
        };
        setting.write(&setting.places.units().join(UNIT), unit.as_bytes());
        setting.write(&setting.places.daemon_json(), b"{\n\t\"debug\": true\n}\n");
        setting.bus.manager().reload();
        setting.beginning = setting.tree();
        setting.serve();
        setting
    }

    fn serve(&mut self) {
        let directory = self.places.run.join("systemd");
        fs::create_dir(&directory).unwrap();
        let socket = directory.join("private");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        hand_over(&directory);
        hand_over(&socket);
        let (over, is_over) = oneshot::channel();
        let bus = Arc::clone(&self.bus);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        self.over = Some(over);
        self.runtime = Some(runtime.handle().clone());
        self.serving = Some(std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = Arc::clone(&bus).serve(listener) => {}
                    _ = is_over => {}
                }
                bus.manager().stop();
            });
        }));
    }

    /// The program with these arguments, in this user's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(program(), arguments)
    }

    /// Any program in this user's environment.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.places.home)
            .env("XDG_RUNTIME_DIR", &self.places.run)
            .env("PATH", "/nonexistent")
            .env("ROOTLESS6_SETTLING", "0")
            .env("ROOTLESS6_LINGER", "1")
            .current_dir("/");
        as_user(&mut command);
        command
    }

    pub(crate) fn runs(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// Runs the program until it passes this checkpoint, where it is killed.
    #[track_caller]
    pub(crate) fn is_killed_at(&self, checkpoint: &str, mut command: Command) {
        let ran = ran(command.env("ROOTLESS6_KILL_AT", checkpoint));
        assert_eq!(ran.status, None, "{}", ran.said);
    }

    /// The checkpoints that a run passes, which must end well.
    #[track_caller]
    pub(crate) fn checkpoints(&self, mut command: Command) -> Vec<String> {
        let list = self.places.run.join("checkpoints");
        let ran = ran(command.env("ROOTLESS6_CHECKPOINTS", &list));
        assert_eq!(ran.status, Some(0), "{command:?}: {}", ran.said);
        let passed = fs::read_to_string(list).unwrap_or_default();
        passed.lines().map(str::to_owned).collect()
    }

    /// The program must end well.
    #[track_caller]
    pub(crate) fn runs_well(&self, arguments: &[&str]) {
        let ran = self.runs(arguments);
        assert_eq!(ran.status, Some(0), "{arguments:?}: {}", ran.said);
    }

    /// Writes a file as the user does, with the directories above it.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) {
        let missing: Vec<&Path> = path
            .ancestors()
            .skip(1)
            .take_while(|directory| !directory.exists())
            .collect();
        for directory in missing.into_iter().rev() {
            fs::create_dir(directory).unwrap();
            hand_over(directory);
        }
        fs::File::create(path).unwrap().write_all(bytes).unwrap();
        hand_over(path);
    }

    /// Everything of the user's but rootless6's own state.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of(&self.places.home, &[&self.state()])
    }

    /// A path as it is named in trees.
    pub(crate) fn below_home(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.places.home).unwrap().to_owned()
    }

    /// The tree before anything was run.
    pub(crate) fn beginning(&self) -> &Tree {
        &self.beginning
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.places.home.join(".local/state/rootless6")
    }

    /// How many generations are on record.
    pub(crate) fn generations(&self) -> usize {
        let entries = fs::read_dir(self.state()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".json") && *name != *"down.json")
            .count()
    }

    /// What `systemctl --user restart docker` does.
    pub(crate) fn restart(&self) -> bool {
        let _served_there = self.runtime.as_ref().map(Handle::enter);
        self.bus.manager().restart()
    }

    /// What each armed timer starts.
    pub(crate) fn watchdogs(&self) -> Vec<Command> {
        let timers: Vec<_> = self.bus.manager().timers.values().cloned().collect();
        let started = timers.into_iter().map(|timer| {
            let arguments: Vec<&str> = timer.command.iter().skip(1).map(String::as_str).collect();
            let mut command = self.command_of(Path::new(&timer.command[0]), &arguments);
            let set = timer
                .environment
                .iter()
                .filter_map(|set| set.split_once('='));
            command
                .env_clear()
                .env("ROOTLESS6_SETTLING", "0")
                .env("ROOTLESS6_LINGER", "1")
                .envs(set);
            command
        });
        started.collect()
    }

    /// Fires each armed timer once; how many there were.
    #[track_caller]
    pub(crate) fn fires(&self) -> usize {
        let mut watchdogs = self.watchdogs();
        watchdogs.iter_mut().for_each(|watchdog| {
            ran(watchdog);
        });
        watchdogs.len()
    }

    /// Fires each armed timer until none is left, as time would. Each service must end.
    #[track_caller]
    pub(crate) fn fires_until_disarmed(&self) {
        if (0..5).all(|_| self.fires() > 0) {
            panic!("a timer is armed still: {:?}", self.bus.manager().timers);
        }
    }

    /// Changes what the journal says of the newest generation.
    pub(crate) fn edit_entry(&self, change: impl FnOnce(&mut Value)) {
        let path = self.state().join(format!("{:04}.json", self.generations()));
        let mut entry = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut entry);
        fs::write(path, entry.to_string()).unwrap();
    }

    /// Lets the time for a confirmation pass.
    pub(crate) fn time_is_over(&self) {
        self.edit_entry(|entry| {
            assert_eq!(entry["state"], "unconfirmed");
            entry["deadline"]["seconds"] = json!(1);
        });
    }

    /// dockerd runs with what is on disk, whole: both are one of these states.
    #[track_caller]
    pub(crate) fn is_whole(&self, states: &[&Tree], context: &str) {
        let now = self.tree();
        let differences: Vec<String> = states.iter().map(|state| state.difference(&now)).collect();
        assert!(
            states.contains(&&now),
            "{context}: neither state stands:\n{}",
            differences.join("\n\nnor\n\n")
        );
        let (live, on_disk, needs_reload) = {
            let manager = self.bus.manager();
            let live = manager.dockerd.as_ref();
            (
                live.map(|dockerd| dockerd.settings.clone()),
                manager.settings_on_disk(),
                manager.needs_reload(),
            )
        };
        assert_eq!(refusal(&on_disk), None, "{context}");
        assert_eq!(live, Some(on_disk), "{context}: dockerd runs with others");
        assert!(!needs_reload, "{context}: systemd has not read its files");
        assert_eq!(self.asks_the_engine().ok(), Some("200".into()), "{context}");
    }

    /// The status of dockerd's answer.
    fn asks_the_engine(&self) -> std::io::Result<String> {
        let mut engine = UnixStream::connect(self.places.run.join("docker.sock"))?;
        engine.set_read_timeout(Some(PATIENCE))?;
        engine.write_all(b"GET /_ping HTTP/1.1\r\n\r\n")?;
        let mut answer = String::new();
        engine.read_to_string(&mut answer)?;
        Ok(answer.chars().skip("HTTP/1.1 ".len()).take(3).collect())
    }

    /// What dockerd runs with, but for where its programs are.
    pub(crate) fn runs_with(&self) -> Settings {
        let manager = self.bus.manager();
        let mut settings = manager.dockerd.as_ref().unwrap().settings.clone();
        settings.environment.retain(|(name, _)| name != "PATH");
        settings
    }

    /// rootless6's own state has nothing in it that is half done.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self, context: &str) {
        let left: Vec<_> = fs::read_dir(self.state())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != "lock" && !name.ends_with(".json"))
            .collect();
        assert!(left.is_empty(), "{context}: left behind: {left:?}");
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

/// Runs a command to its end. One that hangs is killed, and must not have been.
#[track_caller]
pub(crate) fn ran(command: &mut Command) -> Ran {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output = match told.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = kill(pid, Signal::SIGKILL);
            panic!("it hangs: {command:?}");
        }
    };
    let text = [output.stderr, output.stdout].concat();
    let mut said = text.escape_ascii().to_string().replace("\\n", "\n");
    if let Some(signal) = output.status.signal() {
        let _ = write!(said, "\n(ended by signal {signal})");
    }
    Ran {
        status: output.status.code(),
        said,
    }
}

/// Makes a command run as whoever is not root.
pub(crate) fn as_user(command: &mut Command) -> &mut Command {
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Makes a file the user's.
pub(crate) fn hand_over(path: &Path) {
    if geteuid().is_root() {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn hand_over_all(path: &Path) {
    hand_over(path);
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over_all(&entry.unwrap().path());
        }
    }
}

/// Where everybody may run it; the build's own directory may be root's.
pub(crate) fn program() -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rootless6");
        // By a process of its own: what this one has open for writing, another thread's child may keep
        // open, and then nobody can run it (execve(2), ETXTBSY).
        let mut copy = Command::new("cp");
        let copied = copy
            .arg(env!("CARGO_BIN_EXE_rootless6"))
            .arg(&path)
            .status();
        assert!(copied.unwrap().success());
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(&path, None, None).unwrap();
        (directory, path)
    });
    path
}
