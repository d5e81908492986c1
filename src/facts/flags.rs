//! RootlessKit's flags, as it reads them.
//!
//! rootlesskit takes its command line as urfave/cli does (Go's `flag` package): `-name` is `--name`, a boolean takes its
//! value only after `=`, any other flag also from the next word, `--` ends the flags, and of a flag given twice the last
//! one counts. A word with a dash is taken for a flag all the same: what comes before it may be a boolean of a newer
//! release's.

use super::truth;

/// Flags without a value of their own (rootlesskit:cmd/rootlesskit/main.go).
const BOOLEAN: [&str; 13] = [
    "cgroupns",
    "debug",
    "detach-netns",
    "disable-host-loopback",
    "h",
    "help",
    "ipcns",
    "ipv6",
    "pidns",
    "source-ip-transparent",
    "utsns",
    "v",
    "version",
];

/// A command line, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags(pub Vec<Word>);

/// One or two words of a command line that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A flag, with its value.
    Flag(Flag),
    /// A positional argument, or `--` and all that follows it.
    Other(String),
}

/// A flag that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Without its dashes.
    pub name: String,
    /// None where nothing is given for it.
    pub value: Option<String>,
    /// As written.
    pub words: Vec<String>,
}

impl Flags {
    /// Reads words.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut read = Vec::new();
        let mut words = words.into_iter().peekable();
        let mut flags_ended = false;
        while let Some(word) = words.next() {
            let bare = word
                .strip_prefix("--")
                .or_else(|| word.strip_prefix('-'))
                .unwrap_or_default();
            if flags_ended || bare.is_empty() {
                flags_ended |= word == "--";
                read.push(Word::Other(word.to_owned()));
                continue;
            }
            let mut flag = Flag {
                name: bare.to_owned(),
                value: None,
                words: vec![word.to_owned()],
            };
            if let Some((name, value)) = bare.split_once('=') {
                flag.name = name.to_owned();
                flag.value = Some(value.to_owned());
            } else if !flag.is_boolean()
                && let Some(value) = words.next_if(|next| !next.starts_with('-'))
            {
                flag.value = Some(value.to_owned());
                flag.words.push(value.to_owned());
            }
            read.push(Word::Flag(flag));
        }
        Self(read)
    }

    /// The value of a flag that has one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given(name)?.value.as_deref()
    }

    /// Whether a boolean is on; none where it is not given.
    ///
    /// # Errors
    /// With the word that rootlesskit refuses.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, &str> {
        let Some(flag) = self.given(name) else {
            return Ok(None);
        };
        flag.truth().map(Some).ok_or_else(|| flag.words[0].as_str())
    }

    fn given(&self, name: &str) -> Option<&Flag> {
        self.0.iter().rev().find_map(|word| match word {
            Word::Flag(flag) if flag.name == name => Some(flag),
            _ => None,
        })
    }
}

impl Word {
    /// As written.
    pub fn words(&self) -> &[String] {
        match self {
            Self::Flag(flag) => &flag.words,
            Self::Other(word) => std::slice::from_ref(word),
        }
    }
}

impl Flag {
    /// Whether it takes no value from the next word.
    pub fn is_boolean(&self) -> bool {
        BOOLEAN.contains(&self.name.as_str())
    }

    /// A boolean's value; none is one that rootlesskit refuses.
    pub fn truth(&self) -> Option<bool> {
        self.value.as_deref().map_or(Some(true), truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::parse(line.split_whitespace())
    }

    #[test]
    fn values_are_joined_or_follow_and_the_last_one_counts() {
        for (line, name, value) in [
            ("--net=pasta", "net", Some("pasta")),
            ("--net pasta --mtu 65520", "net", Some("pasta")),
            ("-net pasta", "net", Some("pasta")),
            ("--net=slirp4netns --net pasta", "net", Some("pasta")),
            ("--net=", "net", Some("")),
            ("--net", "net", None),
            ("--network=pasta", "net", None),
            ("--net=pasta -- --net=slirp4netns", "net", Some("pasta")),
            ("--ipv6 --mtu=1500", "mtu", Some("1500")),
            ("--copy-up=/etc --mtu 1500", "mtu", Some("1500")),
            ("--state-dir --net=pasta", "net", Some("pasta")),
            ("--state-dir net --mtu=net", "net", None),
        ] {
            assert_eq!(flags(line).value(name), value, "{line}");
        }
    }

    #[test]
    fn switches_are_on_off_or_refused() {
        for (line, on) in [
            ("", Ok(None)),
            ("--debug ipv6", Ok(None)),
            ("--ipv6", Ok(Some(true))),
            ("-ipv6", Ok(Some(true))),
            ("--ipv6=t", Ok(Some(true))),
            ("--ipv6=false", Ok(Some(false))),
            ("--ipv6 false", Ok(Some(true))),
            ("--ipv6 --ipv6=0", Ok(Some(false))),
            ("--ipv6=0 --ipv6", Ok(Some(true))),
            ("--ipv6 --ipv6=yes", Err("--ipv6=yes")),
            ("--ipv6=", Err("--ipv6=")),
            ("-- --ipv6", Ok(None)),
        ] {
            assert_eq!(flags(line).switch("ipv6"), on, "{line}");
        }
    }
}
