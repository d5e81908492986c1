//! Who calls: root becomes the user that `--user` names, for provisioning scripts.
//!
//! The process gives up root for good and replaces itself by the same command line in an
//! environment of that user's alone, so that what follows is what the user's own call would be:
//! nothing is looked at, written or started as root. It must come before any thread exists, for
//! ids belong to threads.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::path::{Path, absolute};

use nix::unistd::{AccessFlags, Uid, User, access, initgroups, setgid, setuid};

use crate::cli::{Cli, Command};
use crate::error::{Doing, Error, Exit, Result};
use crate::host::process;
use crate::hostile::plain;

/// What a user keeps of root's environment besides this program's own variables: how to find
/// programs and how to talk. Not where root's files, session and Docker are.
const KEPT: &[&str] = &[
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "LANG",
    "LANGUAGE",
    "NO_COLOR",
    "PATH",
    "TERM",
    "TZ",
];

/// As sudo(8) has it: who has become the user that the process runs as.
const CALLER: &str = "SUDO_USER";

/// Sees to it that the process runs as the user that `--user` names, in their home directory.
/// Gives that user's name where root is the one who reads the answer.
///
/// # Errors
/// Exit 2 when there is no such user, or they cannot be become.
pub fn settle(cli: &mut Cli) -> Result<Option<String>> {
    let Some(name) = cli.global.user.clone() else {
        return Ok(None);
    };
    let user = look_up(&name)?;
    let caller = Uid::effective();
    if user.uid == caller {
        go_home(cli, &user)?;
        return Ok(called_by_root().then_some(user.name));
    }
    if !caller.is_root() {
        return Err(Error::new(
            Exit::Usage,
            format!("only root can act for another user, such as {}", user.name),
        )
        .hint("leave out `--user` to act for yourself")
        .hint(format!(
            "as root: `rootless6 --user {} …`",
            plain(&user.name)
        )));
    }
    Err(become_user(&user))
}

fn look_up(name: &str) -> Result<User> {
    let by_number = || match name.parse() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => Ok(None),
    };
    let found = User::from_name(name)
        .and_then(|user| user.map_or_else(by_number, |user| Ok(Some(user))))
        .doing(|| format!("look up the user {name:?}"))
        .map_err(|error| error.exiting(Exit::Usage))?;
    match found {
        None => Err(
            Error::new(Exit::Usage, format!("there is no user {name:?}"))
                .hint("`getent passwd` lists the users"),
        ),
        Some(user) if user.uid.is_root() => Err(Error::new(
            Exit::Usage,
            "root's own Docker is not rootless, so there is nothing to do for root",
        )
        .hint("name the user whose Docker it is: `rootless6 --user NAME …`")),
        Some(user) => Ok(user),
    }
}

fn called_by_root() -> bool {
    env::var_os(CALLER).is_some_and(|caller| caller == "root")
}

/// Where root called from may be closed to the user: RootlessKit is started in a directory that is
/// open. Files that were named there are still meant.
fn go_home(cli: &mut Cli, user: &User) -> Result<()> {
    if let Command::Setup(setup) = &mut cli.command
        && let Some(file) = &mut setup.config
    {
        *file = absolute(&*file)
            .doing(|| format!("find {}", file.display()))
            .map_err(|error| error.exiting(Exit::Usage))?;
    }
    env::set_current_dir(&user.dir)
        .doing(|| format!("go to {}'s home, {}", user.name, user.dir.display()))
        .map_err(|error| error.exiting(Exit::Usage))
}

/// Comes back only with the reason why it could not.
fn become_user(user: &User) -> Error {
    let program = match process::own_file() {
        Ok(program) => program,
        Err(error) => return error,
    };
    if let Err(error) = give_up_root(user) {
        return Error::cannot(Exit::Usage, format!("become {}", user.name)).caused_by(error);
    }
    // dockerd's unit will run it too, and a container is given a copy.
    if let Err(error) = access(&program, AccessFlags::R_OK | AccessFlags::X_OK) {
        return out_of_reach(user, &program).caused_by(error.desc());
    }
    let environment = environment(user, env::vars_os());
    let error = process::replace(&program, environment);
    Error::cannot(
        Exit::Usage,
        format!("run {} as {}", program.display(), user.name),
    )
    .caused_by(error)
}

/// Groups first: only root may set them.
fn give_up_root(user: &User) -> io::Result<()> {
    let name = CString::new(user.name.as_str())?;
    initgroups(&name, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    Ok(())
}

fn out_of_reach(user: &User, program: &Path) -> Error {
    Error::new(
        Exit::Usage,
        format!("{} cannot run {}", user.name, program.display()),
    )
    .hint(format!(
        "put it where every user can: `install -m 755 {} /usr/local/bin/`",
        program.display()
    ))
}

fn environment(
    user: &User,
    of_root: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let own = [
        ("HOME", user.dir.clone().into_os_string()),
        ("LOGNAME", user.name.clone().into()),
        ("SHELL", user.shell.clone().into_os_string()),
        ("USER", user.name.clone().into()),
        ("XDG_RUNTIME_DIR", format!("/run/user/{}", user.uid).into()),
        (CALLER, "root".into()),
    ];
    of_root
        .filter(|(name, _)| is_kept(name))
        .chain(own.map(|(name, value)| (name.into(), value)))
        .collect()
}

fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    KEPT.contains(&&*name) || name.starts_with("LC_") || name.starts_with("ROOTLESS6_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_roots_own_goes_with_the_user() {
        let alice = User {
            name: "alice".to_owned(),
            dir: "/home/alice".into(),
            shell: "/bin/zsh".into(),
            uid: Uid::from_raw(1000),
            ..User::from_uid(Uid::from_raw(0)).unwrap().unwrap()
        };
        let of_root = [
            "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus",
            "DOCKER_CONTEXT=default",
            "DOCKER_HOST=unix:///var/run/docker.sock",
            "HOME=/root",
            "LC_ALL=C",
            "MAINPID=1",
            "PATH=/usr/sbin:/usr/bin",
            "ROOTLESS6_YES=1",
            "SUDO_USER=bob",
            "TERM=xterm",
            "XDG_CONFIG_HOME=/root/.config",
            "XDG_RUNTIME_DIR=/run/user/0",
        ];
        let of_root = of_root.map(|assignment| {
            let (name, value) = assignment.split_once('=').unwrap();
            (name.into(), value.into())
        });
        let mut environment: Vec<_> = environment(&alice, of_root.into_iter())
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        environment.sort();
        assert_eq!(
            environment,
            [
                "HOME=/home/alice",
                "LC_ALL=C",
                "LOGNAME=alice",
                "PATH=/usr/sbin:/usr/bin",
                "ROOTLESS6_YES=1",
                "SHELL=/bin/zsh",
                "SUDO_USER=root",
                "TERM=xterm",
                "USER=alice",
                "XDG_RUNTIME_DIR=/run/user/1000",
            ]
        );
    }
}
