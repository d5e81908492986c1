use std::path::Path;

use super::{Facts, Unit};

/// dockerd's options in `ExecStart=`, as it reads them (github.com/spf13/pflag).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<Given>);

/// An option that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As it is written: `--iptables=0`, `-D`, `--label`.
    pub word: String,
    /// Its long name: `iptables`.
    pub name: String,
    /// What stands behind `=`, else the next word, which is the value of all but switches.
    pub value: Option<String>,
    /// Whether the value stands behind `=`.
    joined: bool,
}

/// dockerd's short names that also have a key in daemon.json.
const SHORT: &[(char, &str)] = &[
    ('b', "bridge"),
    ('D', "debug"),
    ('G', "group"),
    ('H', "host"),
    ('l', "log-level"),
    ('p', "pidfile"),
    ('s', "storage-driver"),
];

impl Facts {
    /// The options of the dockerd that runs, where its command line was seen.
    pub fn running_options(&self) -> Option<Options> {
        let line = self.dockerd.is()?;
        Some(Options::parse(line.get(1..)?))
    }
}

impl Unit {
    /// dockerd's options: dockerd-rootless.sh hands on what it is given.
    pub fn options(&self) -> Options {
        let words: Vec<String> = self
            .exec_start
            .iter()
            .skip(1)
            .flat_map(|word| self.expanded(word))
            .collect();
        Options::parse(&words)
    }

    /// systemd.service(5), "Command lines": `$NAME` alone is split at blanks, `${NAME}` is not.
    fn expanded(&self, word: &str) -> Vec<String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
            let value = self.effective(name).unwrap_or_default();
            return value.split_whitespace().map(str::to_owned).collect();
        }
        let mut expanded = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let inner = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
                .filter(|(name, _)| is_name(name));
            if let Some((name, behind)) = inner {
                expanded.push_str(self.effective(name).unwrap_or_default());
                rest = behind;
            } else {
                expanded.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
        expanded.push_str(rest);
        vec![expanded]
    }
}

impl Options {
    fn parse(words: &[String]) -> Self {
        let words = words.split(|word| word == "--").next().unwrap_or_default();
        let given = words.iter().enumerate().filter_map(|(index, word)| {
            let next = words.get(index + 1).cloned();
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                return Some(Given {
                    word: word.clone(),
                    name: name.to_owned(),
                    joined: value.is_some(),
                    value: value.or(next),
                });
            }
            let letter = word.strip_prefix('-')?.chars().next()?;
            let (_, name) = SHORT.iter().find(|(short, _)| *short == letter)?;
            Some(Given {
                word: word.clone(),
                name: (*name).to_owned(),
                value: next,
                joined: false,
            })
        });
        Self(given.collect())
    }

    /// The option of that long name; the last one wins.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.0.iter().rev().find(|given| given.name == name)
    }

    /// All values of the option of that long name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.0.iter().filter(move |given| given.name == name);
        given.filter_map(|given| given.value.as_deref())
    }

    /// The Unix sockets that dockerd is told to listen on; none where it chooses by itself.
    pub fn sockets(&self) -> Vec<&Path> {
        self.values("host")
            .filter_map(|host| host.strip_prefix("unix://").map(Path::new))
            .collect()
    }

    /// The option that says the same as a key of daemon.json. Lists have a singular name here and
    /// a plural one there, `--insecure-registry` and `insecure-registries`.
    pub fn for_key(&self, key: &str) -> Option<&Given> {
        self.0.iter().rev().find(|given| {
            let plural = |stem: &str| Some(stem) == given.name.strip_suffix('y');
            given.name == key
                || key.strip_suffix('s') == Some(&given.name)
                || key.strip_suffix("ies").is_some_and(plural)
        })
    }
}

impl Given {
    /// A switch's value, as Go's `strconv.ParseBool` takes it; none if dockerd would refuse it.
    pub fn on(&self) -> Option<bool> {
        if !self.joined {
            return Some(true);
        }
        truth(self.value.as_deref()?)
    }
}

/// Go's `strconv.ParseBool`; none is what it refuses.
pub(super) fn truth(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let unit = Unit {
            exec_start: line.split(' ').map(str::to_owned).collect(),
            environment: vec![
                ("OPTIONS".to_owned(), "--ip6tables=f  --debug".to_owned()),
                ("FILE".to_owned(), "/a b".to_owned()),
            ],
            ..Unit::default()
        };
        unit.options()
    }

    #[test]
    fn switches_have_every_spelling_of_dockerds() {
        for (line, on) in [
            ("dockerd --iptables=false", Some(Some(false))),
            ("dockerd --iptables=0", Some(Some(false))),
            ("dockerd --iptables=F", Some(Some(false))),
            ("dockerd --iptables", Some(Some(true))),
            ("dockerd --iptables false", Some(Some(true))),
            ("dockerd --iptables=no", Some(None)),
            ("dockerd --iptables=false --iptables", Some(Some(true))),
            ("dockerd --iptables=true --iptables=0", Some(Some(false))),
            ("dockerd -- --iptables=false", None),
            ("dockerd --ip6tables=false", None),
            ("--iptables=false", None),
        ] {
            assert_eq!(options(line).given("iptables").map(Given::on), on, "{line}");
        }
    }

    #[test]
    fn values_are_joined_or_follow_and_variables_are_expanded_as_systemd_does() {
        for (line, name, value) in [
            ("dockerd --config-file=/a", "config-file", "/a"),
            ("dockerd --config-file /a -D", "config-file", "/a"),
            ("dockerd --config-file=${FILE}/c", "config-file", "/a b/c"),
            ("dockerd --config-file=/$$a", "config-file", "/$a"),
            ("dockerd $OPTIONS", "ip6tables", "f"),
            ("dockerd $NOTHING -H unix:///x", "host", "unix:///x"),
        ] {
            let options = options(line);
            let given = options.given(name).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(given.value.as_deref(), Some(value), "{line}");
        }
    }

    #[test]
    fn sockets_are_those_of_every_host_option() {
        let line = "dockerd -H unix:///a --host=tcp://127.0.0.1:2375 --host unix:///b";
        assert_eq!(options(line).sockets(), [Path::new("/a"), Path::new("/b")]);
        assert!(options("dockerd --debug").sockets().is_empty());
    }

    #[test]
    fn a_key_knows_the_option_that_says_the_same() {
        for (line, key) in [
            ("dockerd --ipv6", "ipv6"),
            ("dockerd --label a=b", "labels"),
            ("dockerd --insecure-registry a", "insecure-registries"),
            ("dockerd --default-address-pool=x", "default-address-pools"),
            ("dockerd -H unix:///x", "hosts"),
            ("dockerd -D", "debug"),
            ("dockerd --dns 2001:db8::1", "dns"),
        ] {
            assert!(options(line).for_key(key).is_some(), "{line} {key}");
        }
        assert_eq!(options("dockerd --ip --ipv").for_key("ipv6"), None);
        assert_eq!(options("dockerd --debug").for_key("labels"), None);
    }
}
