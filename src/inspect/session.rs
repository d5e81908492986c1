use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};
use tokio::net::UnixStream;

use crate::facts::{Seen, Session};
use crate::host::{Host, PRIVATE_SOCKET};

/// Where systemd-logind keeps a file for each user who lingers, by name.
const LINGER: &str = "/var/lib/systemd/linger";

/// There while systemd-logind runs; systemd's own `logind_running` asks the same.
const LOGIND: &str = "/run/systemd/seats";

/// `answers` says whether systemd has been reached already.
pub(super) async fn gather(host: &Host, answers: bool) -> Session {
    let uid = Uid::effective();
    let user = match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    };
    let socket = host.runtime.join(PRIVATE_SOCKET);
    Session {
        linger: linger(&user),
        runtime_owner: owner(&host.runtime),
        systemd_listens: answers || UnixStream::connect(socket).await.is_ok(),
        runtime: host.runtime.clone(),
        uid: uid.as_raw(),
        user,
    }
}

/// In a debug build `ROOTLESS6_LINGER` says it for a world that a test has made, which has no logind.
fn linger(user: &str) -> Seen<bool> {
    #[cfg(debug_assertions)]
    if std::env::var_os("ROOTLESS6_LINGER").is_some() {
        return Seen::Is(true);
    }
    if !Path::new(LOGIND).exists() {
        return Seen::Absent;
    }
    let file = Path::new(LINGER).join(user);
    match file.try_exists() {
        Ok(exists) => Seen::Is(exists),
        Err(error) => Seen::Unknown(format!("look for {}: {error}", file.display())),
    }
}

fn owner(directory: &Path) -> Seen<u32> {
    match fs::metadata(directory) {
        Ok(metadata) => Seen::Is(metadata.uid()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Absent,
        Err(error) => Seen::Unknown(format!("look at {}: {error}", directory.display())),
    }
}
