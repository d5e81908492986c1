//! What a rehearsal of RootlessKit's next start is to be like.

use super::daemon_json::lookup;
use super::dropin;
use super::environment::{self, Variables};
use crate::facts::{Engine, Facts, Flags, NetDriver, Unit, Version, Word};
use crate::request::{Intent, SubnetChoice, Uplink};

/// From here on dockerd-rootless.sh itself makes RootlessKit's netns forward IPv6.
const SCRIPT_FORWARDS: Version = Version::new(29, 0, 0);

/// Options of RootlessKit's that must not be rehearsed, each with a value: dockerd's own RootlessKit
/// holds the published port, and the processes of this run's cgroup are not RootlessKit's to move.
const NOT_REHEARSED: &[&str] = &["p", "publish", "evacuate-cgroup2"];

/// How to rehearse RootlessKit's next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// RootlessKit's options.
    pub options: Vec<String>,
    /// Its network driver.
    pub net: NetDriver,
    /// Whether the uplink is brought after the start.
    pub uplink: Uplink,
    /// Whether dockerd will make the netns forward IPv6.
    pub forwards: bool,
    /// What somebody else runs once dockerd is up, which may well be what brings IPv6 about.
    pub helper: Option<String>,
}

pub(super) fn planned(
    facts: &Facts,
    unit: &Unit,
    intent: &Intent,
    base: &Variables,
    environment: &Variables,
) -> Option<Rehearsal> {
    let options = environment::options(facts, base, environment)?;
    Some(Rehearsal {
        options: without_side_effects(&options),
        net: environment::net(facts, base, environment)?,
        uplink: intent.uplink,
        forwards: forwards(facts, intent),
        helper: helper(facts, unit),
    })
}

/// dockerd does so for the first network with IPv6: of its own, or one that was made before.
fn forwards(facts: &Facts, intent: &Intent) -> bool {
    let by_script = facts
        .engine_version()
        .is_some_and(|version| version >= SCRIPT_FORWARDS);
    let engine = facts.engine.is();
    let has_ipv6 = |engine: &Engine| engine.networks.iter().any(|network| network.ipv6);
    let text = facts.daemon_json.text.is();
    let bridge = text.and_then(|text| lookup(text, &["ipv6"]).ok().flatten());
    by_script
        || intent.subnet != SubnetChoice::None
        || engine.is_some_and(has_ipv6)
        || bridge.is_some_and(|ipv6| ipv6 == true)
}

/// An empty assignment takes back all before it.
fn helper(facts: &Facts, unit: &Unit) -> Option<String> {
    let others = unit
        .files
        .iter()
        .filter(|file| file.path != facts.our_drop_in.path);
    others
        .flat_map(|file| dropin::parse(&file.text).assignments)
        .filter(|line| line.section == "Service" && line.key == "ExecStartPost")
        .map(|line| line.value)
        .fold(None, |_, line| (!line.is_empty()).then_some(line))
}

fn without_side_effects(options: &[String]) -> Vec<String> {
    let flags = Flags::parse(options.iter().map(String::as_str)).0;
    let is_rehearsed =
        |word: &&Word| !matches!(word, Word::Flag(flag) if NOT_REHEARSED.contains(&&*flag.name));
    let kept = flags.iter().filter(is_rehearsed);
    kept.flat_map(Word::words).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{DockerNetwork, OurDropIn, Seen, UnitFile};
    use crate::request::Request;

    #[test]
    fn neither_ports_nor_other_processes_are_touched() {
        let options = "--net=slirp4netns -p 0.0.0.0:2376:2376/tcp --publish=8080:80/tcp --ipv6 \
             --publish 1:1/tcp --evacuate-cgroup2=all --pidns -publish=2:2/tcp --p 3:3/tcp \
             -evacuate-cgroup2 all --propagation publish";
        let options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        let kept = without_side_effects(&options);
        assert_eq!(
            kept,
            [
                "--net=slirp4netns",
                "--ipv6",
                "--pidns",
                "--propagation",
                "publish",
            ]
        );
    }

    fn unit(texts: &[&str]) -> Unit {
        let file = |text: &&str| UnitFile {
            text: (*text).to_owned(),
            ..UnitFile::default()
        };
        Unit {
            files: texts.iter().map(file).collect(),
            ..Unit::default()
        }
    }

    #[test]
    fn what_was_taken_back_helps_nobody() {
        for (texts, expected) in [
            (
                vec!["[Service]\nExecStartPost=-/bin/mend\n"],
                Some("-/bin/mend"),
            ),
            (
                vec![
                    "[Service]\nExecStartPost=/bin/mend\n",
                    "[Service]\nExecStartPost=\n",
                ],
                None,
            ),
            (
                vec!["[Service]\nExecStartPost=\nExecStartPost=/bin/b\n"],
                Some("/bin/b"),
            ),
            (vec!["[Unit]\nExecStartPost=/bin/mend\n"], None),
        ] {
            let facts = Facts {
                our_drop_in: OurDropIn {
                    path: "/ours".into(),
                    ..OurDropIn::default()
                },
                ..Facts::default()
            };
            assert_eq!(
                helper(&facts, &unit(&texts)).as_deref(),
                expected,
                "{texts:?}"
            );
        }
    }

    #[test]
    fn dockerd_forwards_for_any_network_with_ipv6() {
        let intent = Intent {
            subnet: SubnetChoice::None,
            ..Request::default().resolve(None)
        };
        let network = |ipv6| DockerNetwork {
            ipv6,
            ..DockerNetwork::default()
        };
        for (version, text, ipv6, expected) in [
            ("28.5.2", "{}", false, false),
            ("28.5.2", "{}", true, true),
            ("28.5.2", r#"{"ipv6": true}"#, false, true),
            ("28.5.2", r#"{"ipv6": false}"#, false, false),
            ("29.0.0", "{}", false, true),
        ] {
            let mut facts = Facts {
                engine: Seen::Is(Engine {
                    version: Version::find(version).unwrap(),
                    networks: vec![network(ipv6)],
                    ..Engine::default()
                }),
                ..Facts::default()
            };
            facts.daemon_json.text = Seen::Is(text.to_owned());
            assert_eq!(
                forwards(&facts, &intent),
                expected,
                "{version} {text} {ipv6}"
            );
        }
    }
}
