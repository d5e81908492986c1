//! Named places between two effects, at which a test may end the program.
//!
//! A journal is worth what it is worth after a `kill -9`. Each effect is followed by a checkpoint;
//! in a debug build `ROOTLESS6_CHECKPOINTS` names a file that each passed checkpoint is appended to,
//! and `ROOTLESS6_KILL_AT` the place, `NAME` or `NAME:N` for the N-th time it is passed, where the
//! program ends as by SIGKILL, or gets the signal that `ROOTLESS6_KILL_WITH` names. A release build has
//! none of this.

/// Passes a checkpoint.
#[cfg(not(debug_assertions))]
pub fn pass(_name: &str) {}

/// Passes a checkpoint.
#[cfg(debug_assertions)]
pub fn pass(name: &str) {
    use std::collections::HashMap;
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use nix::sys::signal::{Signal, raise};

    static PASSED: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let times = passed.entry(name.to_owned()).or_default();
    *times += 1;
    let place = format!("{name}:{times}");
    if let Some(path) = std::env::var_os("ROOTLESS6_CHECKPOINTS") {
        let line = format!("{place}\n");
        let _ = File::options()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
    let kill_at = std::env::var("ROOTLESS6_KILL_AT").unwrap_or_default();
    if kill_at == place || (kill_at == name && *times == 1) {
        let signal = std::env::var("ROOTLESS6_KILL_WITH").ok();
        let signal = signal.and_then(|name| name.parse().ok());
        let _ = raise(signal.unwrap_or(Signal::SIGKILL));
    }
}
