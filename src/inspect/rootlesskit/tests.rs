use std::io::Write;

use super::*;
use crate::facts::Tool;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn options_of_the_program_that_is_run_are_not_rootlesskits() {
    let line = words("rootlesskit --net=pasta /usr/bin/dockerd-rootless.sh --ipv6");
    assert_eq!(options_of(&line).value("net"), Some("pasta"));
    assert_eq!(options_of(&line).switch("ipv6"), Ok(None));
}

#[test]
fn a_wrapper_is_known_by_the_script_that_it_starts() {
    for (line, started, wrapped) in [
        (
            "rootlesskit --net=pasta /usr/bin/dockerd-rootless.sh",
            "/usr/bin/dockerd-rootless.sh",
            false,
        ),
        (
            "rootlesskit --net=pasta /usr/bin/dockerd-rootless.sh",
            "dockerd-rootless.sh",
            false,
        ),
        (
            "/nix/store/x/rootlesskit --net slirp4netns /nix/store/y/.dockerd-rootless.sh-wrapped",
            "/nix/store/z/bin/dockerd-rootless",
            true,
        ),
        (
            "rootlesskit --net=pasta /usr/bin/dockerd-rootless.sh",
            "/bin/sh",
            true,
        ),
        // Nobody knows this script, or it is not RootlessKit that runs.
        (
            "rootlesskit --net=pasta /home/a/start",
            "/home/a/start",
            false,
        ),
        ("bash /usr/bin/dockerd-rootless.sh", "/bin/sh", false),
        ("", "/bin/sh", false),
    ] {
        assert_eq!(is_wrapped(&words(line), started), wrapped, "{line}");
    }
}

#[test]
fn only_a_child_of_the_units_process_is_taken_for_rootlesskits_child() {
    let (own, parent) = (nix::unistd::getpid(), nix::unistd::getppid());
    let parent = u32::try_from(parent.as_raw()).unwrap();
    let state_dir = tempfile::TempDir::new().unwrap();
    let path = state_dir.path().join("child_pid");
    for (text, why) in [
        (own.to_string(), None),
        (format!("{own}\n"), None),
        (parent.to_string(), Some("not a child of rootlesskit")),
        ("4194305".to_owned(), Some("does not run")), // beyond the kernel's largest
        (String::new(), Some("not a process number")),
        ("0".to_owned(), Some("not a process number")),
        ("-1".to_owned(), Some("not a process number")),
        (format!("{own} {own}"), Some("not a process number")),
        (
            "\x1b[31mred".to_owned(),
            Some("not a process number: [31mred"),
        ),
        ("9".repeat(1 << 20), Some("not a process number: 9999")),
    ] {
        let shown = &text[..text.len().min(20)];
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .unwrap();
        match (child_pid(state_dir.path(), parent), why) {
            (Ok(child), None) => assert_eq!(child.to_string(), own.to_string()),
            (Err(error), Some(why)) => assert!(error.contains(why), "{shown:?}: {error}"),
            (other, _) => panic!("{shown:?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let state_dir = tempfile::TempDir::new().unwrap();
    let path = state_dir.path().join("child_pid");
    let why = || child_pid(state_dir.path(), 1).unwrap_err();
    assert!(why().contains("No such file"), "{}", why());
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(why().ends_with("is no regular file"), "{}", why());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(why().ends_with("is no regular file"), "{}", why());
}

/// A version each: of the API, the Engine, the program on disk; and which of them is told.
#[test]
fn rootlesskits_own_word_on_its_version_comes_first() {
    for (api, engine, program, version) in [
        (Some("3.0.1"), Some("2.3.6"), Some("2.0.2"), Some("3.0.1")),
        (
            Some("nonsense"),
            Some("2.3.6"),
            Some("2.0.2"),
            Some("2.3.6"),
        ),
        (None, Some("2.3.6"), Some("2.0.2"), Some("2.3.6")),
        (None, None, Some("2.0.2"), Some("2.0.2")),
        (None, None, Some("unknown"), None),
        (None, None, None, None),
    ] {
        let info = api.map_or(Seen::Unknown("no answer".to_owned()), |api| {
            info(api, "pasta")
        });
        let engine = Engine {
            rootlesskit: engine.and_then(Version::find),
            ..Engine::default()
        };
        let tools = Tools {
            rootlesskit: program.map_or(Seen::Absent, |version| {
                Seen::Is(Tool {
                    version: version.to_owned(),
                    ..Tool::default()
                })
            }),
            ..Tools::default()
        };
        let kit = told(Seen::Is(kit("pasta")), &info, Some(&engine), &tools);
        let expected = version.map_or(Seen::Unknown("no answer".to_owned()), |version| {
            Seen::Is(Version::find(version).unwrap())
        });
        assert_eq!(kit.is().unwrap().version, expected, "{api:?}");
    }
}

#[test]
fn the_api_tells_the_driver_only_where_the_command_line_does_not() {
    for (line, api, net) in [
        ("slirp4netns", "pasta", "slirp4netns"),
        ("auto", "pasta", "pasta"),
        ("vpnkit", "vpnkit", "vpnkit"),
        ("auto", "\x1b[31mnew", "[31mnew"),
    ] {
        let tools = Tools::default();
        let kit = told(Seen::Is(kit(line)), &info("3.0.1", api), None, &tools);
        assert_eq!(kit.is().unwrap().net.name(), net, "{line} {api:?}");
    }
}

fn info(version: &str, driver: &str) -> Seen<Info> {
    Seen::Is(Info {
        version: version.to_owned(),
        child_pid: 7,
        network_driver: Some(rootlesskit::NetworkDriver {
            driver: driver.to_owned(),
        }),
    })
}

fn kit(net: &str) -> RootlessKit {
    RootlessKit {
        net: NetDriver::named(net),
        detached: true,
        state_dir: "/run/user/1000/dockerd-rootless".into(),
        child_pid: 7,
        ..RootlessKit::default()
    }
}

#[test]
fn a_detached_netns_is_reached_through_the_childs_root() {
    assert_eq!(
        join(&kit("pasta")).net,
        Path::new("/proc/7/root/run/user/1000/dockerd-rootless/netns")
    );
}
