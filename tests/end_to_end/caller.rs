//! Who calls: root for a user, a shell that is not that of a login, a session without a bus.

use crate::harness::Lab;

const SETUP: &str = "setup --yes --accept containers-restart --json";

/// Root's session, as a shell by `sudo -E` or `su -p` hands it on.
const ROOTS_SESSION: &str = "XDG_RUNTIME_DIR=/run/user/0 XDG_CONFIG_HOME=/root/.config \
     DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus";

/// For root the program is where every user can run it.
fn install(lab: &Lab) {
    lab.root("install -m 755 /home/alice/.local/bin/rootless6 /usr/local/bin/")
        .exits(0);
}

#[test]
fn root_sets_up_and_undoes_for_a_user_and_owns_nothing_of_theirs() {
    let Some(lab) = Lab::up("trixie") else { return };
    install(&lab);
    let before = lab.tree();

    let docker = "DOCKER_HOST=unix:///var/run/docker.sock DOCKER_CONTEXT=default DOCKER_CONFIG=/root/.docker";
    let command = format!("{ROOTS_SESSION} {docker} rootless6 --user alice {SETUP}");
    let setup = lab.root(&command).exits(0).json();
    assert_eq!(setup["changed"], true);
    assert_eq!(setup["verify"]["verdict"], "pass");
    let equivalent = setup["equivalent"].as_str().unwrap();
    assert!(equivalent.contains("--user alice"), "{equivalent}");
    lab.ping_from("bridge").exits(0);
    // The program that the unit runs is the one that root ran.
    let drop_in = lab.read("~/.config/systemd/user/docker.service.d/zz-rootless6.conf");
    assert!(drop_in.contains("ExecStartPost=-/usr/local/bin/rootless6 uplink"));
    lab.reboot();
    lab.ping_from("bridge").exits(0);
    owns_nothing(&lab);

    let status = lab.root("rootless6 --user 1000 status --json").exits(0);
    assert_eq!(status.json()["user"]["name"], "alice");
    assert_eq!(status.json()["user"]["linger"], true);
    lab.root("ROOTLESS6_USER=alice rootless6 undo --yes")
        .exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
    owns_nothing(&lab);
}

fn owns_nothing(lab: &Lab) {
    let owned = lab.root("find /home/alice -uid 0 -o -gid 0");
    assert_eq!(owned.exits(0).stdout, "", "root owns nothing of alice's");
    let left = lab.root("find /root -name '*rootless6*' -o -name docker");
    assert_eq!(left.exits(0).stdout, "", "nothing is root's own");
}

#[test]
fn only_root_acts_for_others_and_only_for_users_that_can_run_the_program() {
    let Some(lab) = Lab::up("trixie") else { return };
    install(&lab);
    lab.root("useradd -m bob; cp /usr/local/bin/rootless6 /root/")
        .exits(0);
    for (command, words) in [
        (
            "rootless6 setup --yes",
            &["this is root", "`rootless6 --user NAME"][..],
        ),
        (
            "SUDO_USER=alice rootless6 setup --yes",
            &["leave out `sudo`", "`sudo rootless6 --user alice"],
        ),
        ("rootless6 --user nosuch status", &["nosuch", "hint"]),
        ("rootless6 --user 4711 status", &["4711", "hint"]),
        ("rootless6 --user root status", &["root", "hint"]),
        ("rootless6 --user 0 status", &["root", "hint"]),
        (
            "/root/rootless6 --user alice status",
            &["/root/rootless6", "`install -m 755"],
        ),
    ] {
        lab.root(command).exits(2).says(words);
    }
    let alice = lab.alice("rootless6 --user bob status").exits(2);
    alice.says(&["only root", "bob", "hint"]);
    lab.alice("rootless6 --user alice status").exits(0);

    // A file that is named where root stands is meant there.
    lab.root("echo 'mtu = 1500' >/srv/settings.toml").exits(0);
    let here = lab.root("cd /srv && rootless6 --user alice setup --dry-run --config settings.toml");
    here.exits(0).says(&["MTU=1500"]);
    // Where to look is said as root types it.
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta'\n",
    );
    let failed = lab.root(&format!("rootless6 --user alice {SETUP}"));
    let hints = failed.exits(3).json()["error"]["hints"].to_string();
    let look = "runuser -u alice -- journalctl --user -u docker.service -n 50";
    assert!(hints.contains(look), "{hints}");
    let log = lab.root(look).exits(0);
    log.says(&["Started docker.service"]);
    lab.runs_as_before();
}

#[test]
fn whoever_has_no_systemd_running_needs_root_to_let_it_linger() {
    let Some(lab) = Lab::up("trixie") else { return };
    install(&lab);
    lab.root("useradd -m bob").exits(0);
    let command = "rootless6 --user bob setup --yes";
    let people = lab.root(command).exits(5);
    people.says(&[
        "no-linger",
        "as root:\n    loginctl enable-linger bob",
        "`rootless6 --user bob setup`",
    ]);
    let json = lab.root(&format!("{command} --json")).exits(5).json();
    assert_eq!(json["needs_root"][0], "loginctl enable-linger bob");
    // The same from a process of bob's own that no login has made.
    let bob = lab.root(
        "setpriv --reuid=bob --regid=bob --init-groups env -i HOME=/home/bob /usr/local/bin/rootless6 setup --yes",
    );
    bob.exits(5).says(&["loginctl enable-linger bob"]);

    // Done as told, it is not in the way any more: bob has a systemd, and no Docker yet.
    lab.root("loginctl enable-linger bob; until test -S /run/user/1001/bus; do sleep 0.1; done")
        .exits(0);
    lab.root(command).exits(6).says(&["unit-missing"]);

    // alice's dockerd runs, and would end with her last session.
    lab.root("loginctl disable-linger alice; until test ! -e /var/lib/systemd/linger/alice; do sleep 0.1; done; systemctl start user@1000")
        .exits(0);
    let status = lab.root("rootless6 --user alice status").exits(0);
    status.says(&["no-linger", "loginctl enable-linger alice"]);
    let plan = lab.root("rootless6 --user alice setup --dry-run").exits(0);
    plan.says(&["note: ", "loginctl enable-linger alice"]);
}

#[test]
fn a_systemd_that_has_crashed_takes_root_to_start_and_nothing_is_lost() {
    let Some(lab) = Lab::up("trixie") else { return };
    install(&lab);
    let before = lab.tree();
    lab.set_up();
    lab.root("systemctl kill --signal KILL user@1000; until systemctl is-failed user@1000; do sleep 0.1; done")
        .exits(0);
    // Its sockets are still there, and nobody listens.
    let undo = lab.alice("rootless6 undo --yes").exits(5);
    undo.says(&["no-user-bus", "`rootless6 undo`"]);
    let line = undo
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("    "))
        .unwrap();
    lab.root(line).exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn a_shell_that_su_has_made_finds_the_users_own_systemd() {
    let Some(lab) = Lab::up("trixie") else { return };
    let before = lab.tree();
    let su = |environment: &str, command: &str| {
        lab.root(&format!(
            "su -p alice -c 'env {environment} /home/alice/.local/bin/rootless6 {command}'"
        ))
    };
    // Nothing of a session, and HOME is still root's.
    su("-u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS", SETUP).exits(0);
    lab.ping_from("bridge").exits(0);
    su(ROOTS_SESSION, "undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    su(ROOTS_SESSION, SETUP).exits(0);
    // A session that has ended, and a bus with nobody on it.
    su(
        "XDG_RUNTIME_DIR=/run/user/4711 DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
        "undo --yes",
    )
    .exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}

#[test]
fn without_a_session_bus_systemd_is_reached_at_its_own_socket() {
    // Later units of Docker's require the bus themselves.
    let Some(lab) = Lab::up("trixie") else { return };
    // Without a bus containers run only where their cgroups are not systemd's.
    lab.write(
        "~/.config/docker/daemon.json",
        r#"{"exec-opts": ["native.cgroupdriver=cgroupfs"]}"#,
    );
    lab.alice("systemctl --user mask --now dbus.socket dbus.service; rm -f /run/user/1000/bus")
        .exits(0);
    lab.alice("systemctl --user restart docker; docker run --rm busybox true")
        .exits(0);
    let before = lab.tree();
    lab.set_up();
    lab.ping_from("bridge").exits(0);
    let no_bus = lab.alice("test ! -e /run/user/1000/bus && rootless6 undo --yes");
    no_bus.exits(0);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();

    // What fails on the way is told by systemd and put back there too.
    lab.plant(
        "zz-broken.conf",
        "[Service]\nExecStartPre=/bin/sh -c 'test \"$DOCKERD_ROOTLESS_ROOTLESSKIT_NET\" != pasta'\n",
    );
    let before = lab.tree();
    let setup = lab.alice(&format!("rootless6 {SETUP}")).exits(3).json();
    assert_eq!(setup["rolled_back"], true);
    assert_eq!(lab.tree(), before);
    lab.runs_as_before();
}
