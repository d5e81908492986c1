//! Tokens of `DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS`.
//!
//! dockerd-rootless.sh expands the variable unquoted, so /bin/sh splits it at blanks and expands globs, and quotes do
//! not help. rootlesskit then reads the tokens as urfave/cli does (Go's `flag` package): `-name` is `--name`, a boolean
//! takes its value only after `=`, any other flag also from the next token, `--` ends the flags, and of a flag given
//! twice the last one counts.

/// What /bin/sh splits at (the default `IFS`).
const FIELD_SEPARATORS: [char; 3] = [' ', '\t', '\n'];
/// A backslash quotes within a glob pattern, so it is no safer than the rest.
const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '\\'];

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
/// Flags that add up instead of replacing each other.
const REPEATABLE: [&str; 3] = ["copy-up", "p", "publish"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("`{0}` contains white space, which dockerd-rootless.sh splits at: no quoting helps")]
    WhiteSpace(String),
    #[error(
        "`{token}` contains `{character}`, which /bin/sh may expand to file names: no quoting helps"
    )]
    Glob { token: String, character: char },
    #[error("`{0}` is not a flag: rootlesskit would take it for the command to run")]
    NotAFlag(String),
    #[error("`{0}` lacks its value")]
    NoValue(String),
}

/// Adds flags to the value of the variable: strangers and their order stay, a flag with another value is changed where
/// it stands, what is missing goes to the end (before a `--`). Where nothing is missing the text comes back as it is,
/// so merging twice is merging once.
///
/// `wanted` is a list of tokens; a flag and its value may be one token (`--cidr=10.0.3.0/24`) or two.
pub fn merge_flags(existing: &str, wanted: &[&str]) -> Result<String, FlagError> {
    for token in wanted {
        check(token)?;
    }
    let mut words = words_of(
        existing
            .split(FIELD_SEPARATORS)
            .filter(|token| !token.is_empty()),
    );
    let mut changed = false;
    for word in words_of(wanted.iter().copied()) {
        let Word::Flag(flag) = word else {
            return Err(FlagError::NotAFlag(word.tokens().join(" ")));
        };
        if flag.value.is_none() && !flag.is_boolean() && REPEATABLE.contains(&flag.name.as_str()) {
            return Err(FlagError::NoValue(flag.tokens.join(" ")));
        }
        changed |= merge_one(&mut words, flag);
    }
    if !changed {
        return Ok(existing.to_owned());
    }
    let tokens: Vec<&str> = words
        .iter()
        .flat_map(Word::tokens)
        .map(String::as_str)
        .collect();
    Ok(tokens.join(" "))
}

fn check(token: &str) -> Result<(), FlagError> {
    if token.contains(char::is_whitespace) {
        return Err(FlagError::WhiteSpace(token.to_owned()));
    }
    if let Some(character) = token
        .chars()
        .find(|character| GLOB_CHARACTERS.contains(character))
    {
        return Err(FlagError::Glob {
            token: token.to_owned(),
            character,
        });
    }
    if token.is_empty() {
        return Err(FlagError::NotAFlag(String::new()));
    }
    Ok(())
}

/// Says whether anything changed.
fn merge_one(words: &mut Vec<Word>, wanted: Flag) -> bool {
    let end = words
        .iter()
        .position(Word::ends_flags)
        .unwrap_or(words.len());
    let same_name =
        |word: &Word| matches!(word, Word::Flag(flag) if flag.canonical() == wanted.canonical());
    let same = |word: &Word| matches!(word, Word::Flag(flag) if flag.says_the_same(&wanted));
    if REPEATABLE.contains(&wanted.name.as_str()) {
        if words[..end].iter().any(same) {
            return false;
        }
        words.insert(end, Word::Flag(wanted));
        return true;
    }
    match words[..end].iter().rposition(same_name) {
        Some(index) if same(&words[index]) => false,
        Some(index) => {
            words[index] = Word::Flag(wanted);
            true
        }
        None => {
            words.insert(end, Word::Flag(wanted));
            true
        }
    }
}

/// One or two tokens that belong together.
enum Word {
    Flag(Flag),
    /// A positional argument, or `--` and all that follows it.
    Other(String),
}

impl Word {
    fn tokens(&self) -> &[String] {
        match self {
            Self::Flag(flag) => &flag.tokens,
            Self::Other(token) => std::slice::from_ref(token),
        }
    }

    fn ends_flags(&self) -> bool {
        matches!(self, Self::Other(token) if token == "--")
    }
}

struct Flag {
    /// Without its dashes.
    name: String,
    value: Option<String>,
    /// As written.
    tokens: Vec<String>,
}

impl Flag {
    fn is_boolean(&self) -> bool {
        BOOLEAN.contains(&self.name.as_str())
    }

    fn canonical(&self) -> &str {
        match self.name.as_str() {
            "p" => "publish",
            "h" => "help",
            "v" => "version",
            name => name,
        }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        if self.canonical() != other.canonical() {
            return false;
        }
        if self.is_boolean() {
            return truth(self.value.as_deref()) == truth(other.value.as_deref());
        }
        self.value == other.value
    }
}

/// Go's `strconv.ParseBool`; `None` is a value that rootlesskit refuses.
fn truth(value: Option<&str>) -> Option<bool> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Some(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Some(false),
        Some(_) => None,
    }
}

fn words_of<'a>(tokens: impl Iterator<Item = &'a str>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut tokens = tokens.peekable();
    let mut flags_ended = false;
    while let Some(token) = tokens.next() {
        let bare = token
            .strip_prefix("--")
            .or_else(|| token.strip_prefix('-'))
            .unwrap_or_default();
        if flags_ended || bare.is_empty() {
            flags_ended |= token == "--";
            words.push(Word::Other(token.to_owned()));
            continue;
        }
        let mut flag = Flag {
            name: bare.to_owned(),
            value: None,
            tokens: vec![token.to_owned()],
        };
        if let Some((name, value)) = bare.split_once('=') {
            flag.name = name.to_owned();
            flag.value = Some(value.to_owned());
        } else if !flag.is_boolean()
            && let Some(value) = tokens.next_if(|next| !next.starts_with('-'))
        {
            flag.value = Some(value.to_owned());
            flag.tokens.push(value.to_owned());
        }
        words.push(Word::Flag(flag));
    }
    words
}
