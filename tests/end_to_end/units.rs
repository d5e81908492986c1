//! The unit as it is found: whose file it is, what else speaks of it, and where nothing can be
//! written.

use crate::bad_input::refuses;
use crate::harness::Lab;

const DROP_INS: &str = "~/.config/systemd/user/docker.service.d";
const SETUP: &str = "rootless6 setup --yes";

/// systemd's name for the instance `al-ice`.
const INSTANCE: &str = r"rootless-docker@al\x2dice.service";

#[test]
fn a_unit_of_the_distributions_gets_its_drop_in_in_the_home() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice("systemctl --user disable --now docker").exits(0);
    let take = "set -e; cd /home/alice/.config/systemd/user
        cp docker.service /tmp/rootless-docker@.service
        install -m 644 docker.service /usr/lib/systemd/user/; rm docker.service";
    lab.root(take).exits(0);
    lab.alice("systemctl --user daemon-reload").exits(0);
    let before = lab.tree();
    let status = lab.status();
    assert_eq!(status["unit"]["enabled"], false);
    let fragment = &status["unit"]["fragment"];
    assert_eq!(fragment, "/usr/lib/systemd/user/docker.service");

    // Neither started nor enabled: the one is done, the other is said.
    let setup = lab.alice(SETUP).exits(0);
    setup.says(&["systemctl --user enable docker.service", "IPv6 works"]);
    lab.ping_from("bridge").exits(0);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);

    // Another name, with all that a name may have in it.
    lab.alice("systemctl --user stop docker").exits(0);
    let rename = "cd /usr/lib/systemd/user
        mv /tmp/rootless-docker@.service /etc/systemd/user/ && rm docker.service";
    lab.root(rename).exits(0);
    lab.alice(&format!(
        "systemctl --user daemon-reload && systemctl --user start '{INSTANCE}'"
    ))
    .exits(0);
    let typed = format!("`--unit '{INSTANCE}'`");
    refuses(
        &lab,
        &[
            (SETUP, 6, &["there is no user unit docker.service", &typed]),
            (
                &format!("{SETUP} --unit rootless-docker@.service"),
                2,
                &["template"],
            ),
        ],
    );
    lab.alice(&format!("{SETUP} --unit '{INSTANCE}'")).exits(0);
    lab.ping_from("bridge").exits(0);
    let again = lab.alice(&format!("{SETUP} --unit '{INSTANCE}'")).exits(0);
    again.says(&["set up already"]);
    // undo knows by itself which one it was.
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
}

#[test]
fn what_has_the_last_word_is_found_before_anything_is_written() {
    let Some(lab) = Lab::up("trixie") else { return };
    let invocation = lab.invocation();
    let found = |make: &str, code: &str, words: &[&str]| {
        let setup = lab.alice(&format!(
            "mkdir -p {DROP_INS} ~/.config/docker; {make}; systemctl --user daemon-reload
            files() {{ find .config -type f -print0 | sort -z | xargs -0 sha256sum; }}
            before=$(files); {SETUP}; status=$?
            [ \"$before\" = \"$(files)\" ] || echo something was written
            rm -rf {DROP_INS} ~/.config/docker ~/docker.env; exit $status"
        ));
        let setup = setup.exits(3);
        setup.says(words).says(&[code, "hint:"]);
        assert!(!setup.stdout.contains("written"), "{make}");
    };
    let net = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET";
    let service = |lines: &str, name: &str| {
        format!("printf '[Service]\\n{lines}\\n' >{DROP_INS}/{name}.conf")
    };
    let options = |options: &str| {
        let line = format!("ExecStart=\\nExecStart=/usr/bin/dockerd-rootless.sh {options}");
        service(&line, "override")
    };
    let shadowed = "dropin-shadowed";
    for (make, code, words) in [
        (
            service(&format!("Environment={net}=slirp4netns"), "zzz"),
            shadowed,
            &["zzz.conf, line 2", "50-zzz.conf"][..],
        ),
        (service("Environment=", "zzz"), shadowed, &["zzz.conf"]),
        (service("ExecStartPost=", "zzz"), shadowed, &["zzz.conf"]),
        (
            service(&format!("UnsetEnvironment={net}"), "first"),
            shadowed,
            &["first.conf"],
        ),
        (
            format!(
                "printf '# no\\n{net} = \"slirp4netns\"\\n' >~/docker.env; {}",
                service("EnvironmentFile=-%%h/docker.env", "env")
            ),
            "environment-file-wins",
            &["~/docker.env", net],
        ),
        (
            service("EnvironmentFile=%%h/nothere.env", "env"),
            "environment-file-wins",
            &["touch ~/nothere.env"],
        ),
        (
            options("--iptables=0"),
            "iptables-off",
            &["sed -i 's/ --iptables=0//'"],
        ),
        (
            options("--ip6tables=false"),
            "ip6tables-off",
            &["sed -i 's/ --ip6tables=false//'"],
        ),
        (options("--ipv6=F"), "bridge-without-ipv6", &["--ipv6=F"]),
        (
            options("--config-file nothere.json"),
            "daemon-json-invalid",
            &["echo '{}' >~/nothere.json"],
        ),
        (
            format!(
                "echo '{{\"insecure-registries\": []}}' >~/.config/docker/daemon.json; {}",
                options("--insecure-registry=a.test")
            ),
            "daemon-json-invalid",
            &["--insecure-registry", "both"],
        ),
    ] {
        found(&make, code, words);
    }
    assert_eq!(lab.invocation(), invocation, "nothing restarted");

    // One that says the same as ours is in nobody's way, nor is one that cannot be read and need
    // not be there; and what dockerd is given as an option is not written as a key.
    let mtu = "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520";
    let agree = [
        format!("mkdir -p {DROP_INS}; echo '{{}}' >~/my.json; echo {mtu} >~/docker.env"),
        "touch ~/secret.env; chmod 0 ~/secret.env".to_owned(),
        service(
            "EnvironmentFile=%%h/docker.env\\nEnvironmentFile=-%%h/secret.env",
            "env",
        ),
        options("--ipv6=1 --fixed-cidr-v6=fd00:53::/64 --config-file=${HOME}/my.json"),
        service(&format!("Environment={mtu}"), "zzz"),
        "systemctl --user daemon-reload".to_owned(),
    ];
    lab.alice(&agree.join("\n")).exits(0);
    lab.set_up();
    lab.ping_from("bridge").exits(0);
    let json = lab.read("~/my.json");
    assert!(json.contains("\"ip6tables\""), "{json}");
    assert!(
        !json.contains("\"ipv6\"") && !json.contains("fixed-cidr"),
        "{json}"
    );
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.read("~/my.json"), "{}\n");

    // What changed since systemd read it is found after it has read it, and before the restart.
    let invocation = lab.invocation();
    lab.alice(&options("--debug --config-file=${HOME}/my.json"))
        .exits(0);
    let setup = lab.alice(SETUP).exits(3);
    setup.says(&["ExecStart=", "everything was put back"]);
    assert_eq!(lab.invocation(), invocation, "nothing restarted");
}

#[test]
fn where_nothing_can_be_written_the_settings_are_printed_to_paste() {
    let Some(lab) = Lab::up("trixie") else { return };
    // A store, as NixOS has it: the unit in /etc is a link, and daemon.json is somewhere in there.
    lab.root(
        "set -e; store=/nix/store/abc; own=/home/alice/.config/systemd/user
        mkdir -p $store; echo '{\"debug\": false}' >$store/daemon.json
        sed \"s#rootless.sh#rootless.sh --config-file=$store/daemon.json#\" $own/docker.service >$store/docker.service
        mv $own /tmp/own; install -d -o alice -g alice $own
        ln -s $store/docker.service /etc/systemd/user/docker.service
        cp /etc/os-release /tmp; sed -i 's/^ID=.*/ID=nixos/' /etc/os-release",
    )
    .exits(0);
    lab.alice("systemctl --user daemon-reload; systemctl --user restart docker")
        .exits(0);
    let nixos = [
        "cannot write",
        "/nix/store/abc/daemon.json",
        "virtualisation.docker.rootless.daemon.settings = {",
        "fixed-cidr-v6 = \"fd",
        "systemd.user.services.docker = {",
        "DOCKERD_ROOTLESS_ROOTLESSKIT_NET = \"pasta\";",
        "nixos-rebuild",
    ];
    refuses(&lab, &[(SETUP, 3, &nixos)]);
    let json = lab.alice("rootless6 setup --yes --json").exits(3).json();
    assert_eq!(json["snippets"][0]["belongs_in"], "configuration.nix");
    assert_eq!(json["changed"], false);

    // home-manager on any distribution makes links into the store.
    lab.root(
        "set -e; cp /tmp/os-release /etc/; rm /etc/systemd/user/docker.service
        cd /home/alice/.config/systemd; rmdir user; cp -r /tmp/own /nix/store/user
        ln -s /nix/store/user user",
    )
    .exits(0);
    lab.alice("systemctl --user daemon-reload").exits(0);
    let home_manager = ["home.file.\".config/systemd/user/docker.service.d/zz-rootless6.conf\""];
    refuses(&lab, &[(SETUP, 3, &home_manager)]);

    // A file system that is read-only: root pastes, and setup is content.
    let config = "/home/alice/.config";
    lab.root(&format!(
        "set -e; cd {config}/systemd; rm user; mv /tmp/own user
        mount --bind {config} {config} && mount -o remount,bind,ro {config}"
    ))
    .exits(0);
    lab.alice("systemctl --user daemon-reload").exits(0);
    let place = "/etc/systemd/user/docker.service.d";
    refuses(&lab, &[(SETUP, 3, &["Read-only file system", place])]);
    let json = lab.alice("rootless6 setup --yes --json").exits(3).json();
    let text = |index: usize| {
        let text = json["snippets"][index]["text"].as_str().unwrap();
        text.replace('\'', r"'\''")
    };
    lab.root(&format!(
        "set -e; umount {config}; mkdir -p {place} {config}/docker
        printf %s '{}' >{place}/zz-rootless6.conf; printf %s '{}' >{config}/docker/daemon.json
        mount --bind {config} {config} && mount -o remount,bind,ro {config}",
        text(0),
        text(1)
    ))
    .exits(0);
    let then = json["snippets"][0]["then"].as_str().unwrap();
    lab.alice(then).exits(0);
    lab.ping_from("bridge").exits(0);
    let setup = lab.alice(SETUP).exits(0);
    setup.says(&["set up already", "IPv6 works"]);

    // So it is with the place that was printed.
    lab.root(&format!(
        "set -e; umount {config}; cd {config}/systemd/user; mkdir -p docker.service.d
        mv {place}/zz-rootless6.conf docker.service.d/; chown -R alice: docker.service.d
        mount --bind {config} {config} && mount -o remount,bind,ro {config}"
    ))
    .exits(0);
    let wait = format!("{SETUP} --wait-online 30");
    lab.alice("systemctl --user daemon-reload").exits(0);
    lab.alice(SETUP).exits(0).says(&["set up already"]);
    refuses(&lab, &[(&wait, 3, &["wait-online --for 30"])]);
}

#[test]
fn a_pasta_that_the_unit_does_not_find_is_put_on_its_path() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.root("mkdir -p /opt/passt/bin && mv /usr/bin/pasta /usr/bin/passt* /opt/passt/bin/")
        .exits(0);
    let before = lab.tree();
    // Found by the caller's PATH.
    let with_path = "export PATH=$PATH:/opt/passt/bin;";
    let status = lab.alice(&format!("{with_path} rootless6 status")).exits(0);
    status.says(&["unit-path-lacks-pasta", "/opt/passt/bin/pasta"]);
    let setup = lab.alice(&format!("{with_path} {SETUP}")).exits(0);
    setup.says(&[":/opt/passt/bin\"", "rehearse", "IPv6 works"]);
    lab.ping_from("bridge").exits(0);
    // From now on the unit's own PATH finds it.
    let again = lab.alice(SETUP).exits(0);
    again.says(&["set up already"]);
    lab.alice("rootless6 undo --yes").exits(0);
    assert_eq!(lab.tree(), before);
    refuses(&lab, &[(SETUP, 5, &["pasta-missing", "as root"])]);
    lab.runs_as_before();
}

#[test]
fn a_dockerd_that_dies_of_something_else_says_of_what() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.plant(
        "driver.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd-rootless.sh --storage-driver=nonsense\n",
    );
    lab.alice("systemctl --user restart docker").exits(1);
    let before = lab.tree();
    let reason = "driver not supported: nonsense";
    lab.alice("rootless6 status")
        .exits(0)
        .says(&["unit-not-running", reason]);
    let setup = lab.alice(SETUP).exits(3);
    setup.says(&[reason, "everything was put back", "hint:"]);
    assert_eq!(lab.tree(), before);

    // Over the start limit, and for a reason of its own again.
    lab.plant(
        "driver.conf",
        "[Service]\nRestart=no\nExecStartPre=/bin/sh -c 'echo no such luck >&2; exit 1'\n",
    );
    lab.alice("systemctl --user stop docker; for i in 1 2 3 4 5; do systemctl --user start docker; done; true")
        .exits(0);
    let before = lab.tree();
    let setup = lab.alice(SETUP).exits(3);
    setup.says(&["no such luck", "everything was put back"]);
    assert_eq!(lab.tree(), before);
    lab.alice(&format!("rm -r {DROP_INS}; systemctl --user daemon-reload"))
        .exits(0);
    lab.alice("systemctl --user reset-failed docker; systemctl --user start docker")
        .exits(0);
    lab.runs_as_before();
}
