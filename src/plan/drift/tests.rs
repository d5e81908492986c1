use super::*;
use crate::request::Request;

/// An Engine 28.5.2 with RootlessKit 2.0.2, as setup has left it.
fn set_up() -> Facts {
    let text = include_str!("../../../tests/facts/after-setup-nothing-has-changed.json");
    serde_json::from_str(text).unwrap()
}

fn written(facts: &mut Facts, from: &str, to: &str) {
    let ours = &mut facts.our_drop_in.text;
    let Seen::Is(unit) = &mut facts.unit else {
        panic!("no unit");
    };
    let text = &mut unit.files[1].text;
    assert!(text.contains(from), "{from}");
    *text = text.replace(from, to);
    *ours = Seen::Is(text.clone());
}

fn configured(facts: &mut Facts, from: &str, to: &str) {
    let text = facts.daemon_json.text.is().unwrap();
    assert!(text.contains(from), "{from}");
    facts.daemon_json.text = Seen::Is(text.replace(from, to));
}

fn runs(facts: &mut Facts, rootlesskit: &str) {
    let version = Version::find(rootlesskit).unwrap();
    if let Seen::Is(kit) = &mut facts.rootlesskit {
        kit.version = Seen::Is(version);
    }
}

/// As [`set_up`], by a setup that had these versions.
fn was(facts: &mut Facts, engine: Option<&str>, rootlesskit: Option<&str>) {
    if let Seen::Is(relied_on) = &mut facts.relied_on {
        relied_on.versions.engine = engine.map(str::to_owned);
        relied_on.versions.rootlesskit = rootlesskit.map(str::to_owned);
    }
}

fn wrote(facts: &mut Facts, file: usize, from: &str, to: &str) {
    if let Seen::Is(relied_on) = &mut facts.relied_on {
        let text = &mut relied_on.files[file].text;
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
    }
}

const UPLINK: &str = "ExecStartPost=-/home/alice/.local/bin/rootless6 uplink\n";
const IPV6: &str = "\n  \"ipv6\": true,";

/// What is edited, needed and idle, each by its part and by words that are in it.
type Expected = [Option<(Part, &'static str)>; 3];

#[test]
fn drift_is_told_by_who_has_changed_what() {
    use Part::{Bridge, Mtu, NewNetworks, Options, RootlessKit, Tap, Wait};
    type Case = (&'static str, fn(&mut Facts), &'static str, Expected);
    let cases: &[Case] = &[
        ("nothing", |_| {}, "", [None; 3]),
        (
            "no setup",
            |facts| facts.relied_on = Seen::Absent,
            "mtu = 1400",
            [None; 3],
        ),
        (
            "a setup of which no file stands",
            |facts| {
                if let Seen::Is(relied_on) = &mut facts.relied_on {
                    relied_on.files.clear();
                }
            },
            "mtu = 1400",
            [None; 3],
        ),
        (
            "another value",
            |facts| written(facts, "MTU=65520", "MTU=1500"),
            "",
            [
                Some((
                    Mtu,
                    "zz-rootless6.conf, line 6: DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=1500; needed is 65520",
                )),
                None,
                None,
            ],
        ),
        (
            "an option more",
            |facts| written(facts, "FLAGS=--ipv6", "FLAGS=--ipv6 --debug"),
            "",
            [Some((Options, "FLAGS=--ipv6 --debug")), None, None],
        ),
        (
            "an option less",
            |facts| written(facts, "FLAGS=--ipv6", "FLAGS=--debug"),
            "",
            [Some((RootlessKit, "FLAGS=--debug")), None, None],
        ),
        (
            "a value that only systemd knows, and has not read",
            |facts| {
                written(facts, "MTU=65520", "MTU=%t");
                if let Seen::Is(unit) = &mut facts.unit {
                    unit.needs_reload = true;
                }
            },
            "",
            [None; 3],
        ),
        (
            "a value that is asked for since",
            |_| {},
            "mtu = 1400",
            [None, Some((Mtu, "MTU=65520; needed is 1400")), None],
        ),
        (
            "no uplink",
            |facts| written(facts, UPLINK, ""),
            "",
            [Some((Tap, "no ExecStartPost=")), None, None],
        ),
        (
            "no uplink, and none is asked for",
            |facts| written(facts, UPLINK, ""),
            "uplink = \"never\"",
            [None; 3],
        ),
        (
            "a RootlessKit that needs no uplink",
            |facts| runs(facts, "2.3.6"),
            "",
            [
                None,
                None,
                Some((Tap, "RootlessKit 2.3.6 gives tap0 its IPv6 by itself")),
            ],
        ),
        (
            "the same, and it is to run always",
            |facts| runs(facts, "2.3.6"),
            "uplink = \"always\"",
            [None; 3],
        ),
        (
            "a RootlessKit that is no other in this",
            |facts| was(facts, Some("28.5.2"), Some("2.1.0")),
            "",
            [None; 3],
        ),
        (
            "a RootlessKit that needs the uplink, after one that did not",
            |facts| {
                was(facts, Some("28.5.2"), Some("2.3.6"));
                wrote(facts, 0, UPLINK, "");
                written(facts, UPLINK, "");
            },
            "",
            [
                None,
                Some((Tap, "RootlessKit 2.0.2 gives tap0 no IPv6")),
                None,
            ],
        ),
        (
            "the same without a record of versions: a rehearsal may have shown better",
            |facts| {
                was(facts, None, None);
                wrote(facts, 0, UPLINK, "");
                written(facts, UPLINK, "");
            },
            "",
            [None; 3],
        ),
        (
            "a wait that is gone",
            |_| {},
            "wait-online = 30",
            [
                Some((Wait, "waits not for the host's IPv6; asked for were 30 s")),
                None,
                None,
            ],
        ),
        ("no wait", |_| {}, "wait-online = 0", [None; 3]),
        (
            "daemon.json: another value",
            |facts| configured(facts, "\"ipv6\": true", "\"ipv6\": false"),
            "",
            [Some((Bridge, "ipv6 is false; needed is true")), None, None],
        ),
        (
            "daemon.json: a key gone",
            |facts| configured(facts, IPV6, ""),
            "",
            [
                Some((Bridge, "ipv6 is not there; needed is true")),
                None,
                None,
            ],
        ),
        (
            "daemon.json: a key gone that nobody asks for",
            |facts| configured(facts, IPV6, ""),
            "subnet = \"none\"",
            [None; 3],
        ),
        (
            "daemon.json: no JSON any more, which another rule tells",
            |facts| configured(facts, "}\n", "\n"),
            "",
            [None; 3],
        ),
        (
            "daemon.json: what an older Engine did not need",
            |facts| {
                was(facts, Some("26.1.5"), Some("2.0.2"));
                let (from, to) = ("enable_ipv6", "enable_ipv4");
                wrote(facts, 1, from, to);
                configured(facts, from, to);
            },
            "",
            [None, Some((NewNetworks, "default-network-opts")), None],
        ),
        (
            "daemon.json: the same, with the Engine of that time",
            |facts| {
                let (from, to) = ("enable_ipv6", "enable_ipv4");
                wrote(facts, 1, from, to);
                configured(facts, from, to);
            },
            "",
            [Some((NewNetworks, "default-network-opts")), None, None],
        ),
    ];
    for (name, change, asked, expected) in cases {
        let mut facts = set_up();
        change(&mut facts);
        let request = Request::from_toml(asked).unwrap();
        let intent = request.resolve(facts.rootlesskit_version());
        let Drift {
            edited,
            needed,
            idle,
        } = drift(&facts, &intent);
        for ((seen, expected), kind) in [edited, needed, idle]
            .iter()
            .zip(expected)
            .zip(["edited", "needed", "idle"])
        {
            let fits = match (seen.as_slice(), expected) {
                ([], None) => true,
                ([drifted], Some((part, words))) => {
                    drifted.part == *part && drifted.seen.contains(words)
                }
                _ => false,
            };
            assert!(fits, "{name}: {kind}: {seen:?}, not {expected:?}");
        }
    }
}

#[test]
fn a_drop_in_that_is_gone_is_told_first_and_then_each_of_its_values() {
    let mut facts = set_up();
    facts.our_drop_in.text = Seen::Absent;
    if let Seen::Is(unit) = &mut facts.unit {
        unit.files.truncate(1);
    }
    let intent = Request::default().resolve(facts.rootlesskit_version());
    let drift = drift(&facts, &intent);
    let seen: Vec<&str> = drift.edited.iter().map(|it| it.seen.as_str()).collect();
    assert!(seen[0].ends_with("zz-rootless6.conf, which setup wrote, is gone"));
    for name in ["NET", "PORT_DRIVER", "MTU", "FLAGS"] {
        let words = format!("_{name} is not set; needed is ");
        assert!(seen.iter().any(|seen| seen.contains(&words)), "{seen:?}");
    }
    assert!(seen.iter().any(|seen| seen.contains("uplink")), "{seen:?}");
    assert_eq!((drift.needed, drift.idle), (vec![], vec![]));
}
