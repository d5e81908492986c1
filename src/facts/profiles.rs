//! Which programs AppArmor's profiles are for (apparmor.d(5)).

/// More alternatives in braces than this are no longer told apart.
const ALTERNATIVES: usize = 64;

/// What a file of /etc/apparmor.d has for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Covering {
    /// Whether the program is named there in full, not by what stands for many, and is all that the
    /// file is for.
    pub(crate) is_for_it_alone: bool,
    /// Whether the profile forbids anything, that is, has no `flags=(unconfined)`.
    pub(crate) confines: bool,
}

/// What a file of /etc/apparmor.d has for the program at this path, if anything. What such a pattern
/// leaves to variables counts as anything: better no alarm than a false one.
pub(crate) fn covering(text: &str, path: &str) -> Option<Covering> {
    let path: Vec<char> = path.chars().collect();
    let heads = heads(text);
    let covers = |head: &&Head| alternatives(&head.pattern).any(|one| matches(&one, &path));
    let head = heads.iter().find(covers)?;
    Some(Covering {
        is_for_it_alone: heads.len() == 1 && !head.pattern.contains(['*', '?', '[', '@']),
        confines: !head.is_unconfined,
    })
}

/// The beginning of a profile with a pattern.
#[derive(Debug)]
struct Head {
    pattern: String,
    is_unconfined: bool,
}

/// What comes before the braces: `profile NAME /usr/bin/x flags=(…) {`, `/usr/bin/x {`, on one line
/// or on several. A brace of a profile stands apart, one of a pattern does not.
fn heads(text: &str) -> Vec<Head> {
    let mut found = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        // `#include` is a rule like any other comment here.
        let all = line
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'));
        for word in all {
            match word.strip_suffix('{') {
                Some(last) if last.is_empty() || last.ends_with(')') => {
                    words.push(last);
                    found.extend(head(&words));
                    words.clear();
                }
                // A rule ends, or a profile.
                _ if word.ends_with(',') || word == "}" => words.clear(),
                _ => words.push(word),
            }
        }
    }
    found
}

fn head(words: &[&str]) -> Option<Head> {
    let is_pattern = |word: &&&str| {
        let word = word.trim_start_matches('"');
        word.starts_with('/') || word.starts_with("@{")
    };
    // Before it there may be what ends without a comma: `@{x} = y`, `include <abi/4.0>`.
    let pattern = match words.iter().rposition(|word| *word == "profile") {
        // A profile without one is named after its program, or is for none.
        Some(place) => words[place + 1..].iter().take(2).find(is_pattern)?,
        None => words.iter().rfind(is_pattern)?,
    };
    let flags = words.iter().skip_while(|word| !word.starts_with("flags"));
    let is_unconfined = flags
        .flat_map(|word| word.split(|c: char| !c.is_ascii_alphabetic()))
        .any(|flag| flag == "unconfined");
    Some(Head {
        pattern: pattern.trim_matches('"').to_owned(),
        is_unconfined,
    })
}

/// `{,.avx2}` written out.
fn alternatives(pattern: &str) -> impl Iterator<Item = String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop().filter(|_| done.len() < ALTERNATIVES) {
        // The innermost, so that none is within; a variable's are no alternatives.
        let close = pattern.find('}');
        let start = close.and_then(|close| pattern[..close].rfind('{'));
        let (Some(start), Some(close)) = (start, close) else {
            done.push(pattern);
            continue;
        };
        let (before, after) = (&pattern[..start], &pattern[close + 1..]);
        if let Some(before) = before.strip_suffix('@') {
            open.push(format!("{before}**{after}"));
            continue;
        }
        let within = pattern[start + 1..close].split(',').take(ALTERNATIVES);
        open.extend(within.map(|within| format!("{before}{within}{after}")));
        open.truncate(2 * ALTERNATIVES);
    }
    done.into_iter()
}

/// `*` stops at slashes, `**` does not; a class of characters counts as any character.
fn matches(pattern: &str, path: &[char]) -> bool {
    // Which beginnings of the path the pattern so far stands for, by their length.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    let mut pattern = pattern.chars().peekable();
    while let Some(token) = pattern.next() {
        let stays_within = |at: usize| path[at] != '/';
        if token == '*' {
            let all = pattern.next_if_eq(&'*').is_some();
            for at in 0..path.len() {
                reached[at + 1] |= reached[at] && (all || stays_within(at));
            }
            continue;
        }
        if token == '[' {
            pattern.by_ref().find(|c| *c == ']');
        }
        let is_any = token == '?' || token == '[';
        let literal = match token {
            '\\' => pattern.next().unwrap_or('\\'),
            token => token,
        };
        for at in (0..path.len()).rev() {
            let fits = if is_any {
                stays_within(at)
            } else {
                path[at] == literal
            };
            reached[at + 1] = reached[at] && fits;
        }
        reached[0] = false;
    }
    reached[path.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Ubuntu's apparmor, Debian's passt and people write them.
    #[test]
    fn a_profile_is_found_by_the_program_that_it_is_for() {
        let rootlesskit = "abi <abi/4.0>,\ninclude <tunables/global>\n\nprofile rootlesskit \
            /usr/bin/rootlesskit flags=(unconfined) {\n  userns,\n  /opt/x r,\n}\n";
        for (text, path, covered) in [
            (rootlesskit, "/usr/bin/rootlesskit", true),
            (rootlesskit, "/home/alice/bin/rootlesskit", false),
            (rootlesskit, "/opt/x", false),
            (
                "profile pasta /usr/bin/pasta{,.avx2} flags=(attach_disconnected) {",
                "/usr/bin/pasta",
                true,
            ),
            (
                "profile pasta /usr/bin/pasta{,.avx2} flags=(attach_disconnected) {",
                "/usr/bin/pasta.avx2",
                true,
            ),
            (
                "profile pasta /usr/bin/pasta{,.avx2} {",
                "/usr/bin/passt",
                false,
            ),
            (
                "/usr/{,local/}bin/{pasta,passt{,.avx2}} {",
                "/usr/local/bin/passt.avx2",
                true,
            ),
            (
                "\"/home/alice/bin/rootlesskit\" flags=(unconfined) {",
                "/home/alice/bin/rootlesskit",
                true,
            ),
            (
                "/home/*/bin/rootlesskit {",
                "/home/alice/bin/rootlesskit",
                true,
            ),
            (
                "/home/*/rootlesskit {",
                "/home/alice/bin/rootlesskit",
                false,
            ),
            ("/home/** {", "/home/alice/bin/rootlesskit", true),
            (
                "profile kit @{HOME}/bin/rootlesskit {",
                "/home/alice/bin/rootlesskit",
                true,
            ),
            ("profile /usr/bin/past? {", "/usr/bin/pasta", true),
            ("profile /usr/bin/past[ab] {", "/usr/bin/pasta", true),
            (
                "profile kit /usr/bin/rootlesskit\nflags=(unconfined)\n{ # why\n  userns,\n}",
                "/usr/bin/rootlesskit",
                true,
            ),
            (
                "include <tunables/global>\n@{bin} = /usr/bin\n/usr/bin/kit flags=(unconfined){",
                "/usr/bin/kit",
                true,
            ),
            ("# profile pasta /usr/bin/pasta {", "/usr/bin/pasta", false),
            ("profile pasta {", "/usr/bin/pasta", false),
            ("  /usr/bin/pasta rix,", "/usr/bin/pasta", false),
            ("", "/usr/bin/pasta", false),
        ] {
            let found = covering(text, path);
            assert_eq!(found.is_some(), covered, "{text:?}, {path}");
        }
    }

    #[test]
    fn a_profile_is_for_one_program_alone_where_no_other_is_named_nor_may_be_meant() {
        let of = |text: &str| {
            let found = covering(text, "/usr/bin/passt").unwrap();
            (found.is_for_it_alone, found.confines)
        };
        // As Debian 12 has it.
        let passt = "profile passt /usr/bin/passt{,.avx2} {\n  include <abstractions/passt>\n\
            \n  owner /tmp/**\t\t\tw,\n  include if exists <local/usr.bin.passt>\n}\n";
        assert_eq!(of(passt), (true, true));
        let two = format!("{passt}profile pasta /usr/bin/pasta flags=(unconfined) {{\n}}");
        assert_eq!(of(&two), (false, true));
        for (text, confines) in [
            ("profile foo @{exec_path} {", true),
            (
                "profile foo @{bin}/passt flags=(attach_disconnected, complain) {",
                true,
            ),
            (
                "profile foo /usr/bin/* flags=(attach_disconnected,unconfined) {",
                false,
            ),
            (
                "profile foo /usr/bin/past[st] flags=( unconfined ) {",
                false,
            ),
        ] {
            assert_eq!(of(text), (false, confines), "{text}");
        }
    }

    #[test]
    fn many_alternatives_take_no_time() {
        let text = format!("/{} {{", "{a,b}{,c,{d,e}}**".repeat(50));
        let began = std::time::Instant::now();
        covering(&text, &"/a".repeat(200));
        assert!(began.elapsed().as_secs() < 5);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in r"(profile |/|@\{|\{|\}|\*|\[|\\|,|[a-z ]|\PC){0,40}\{", path: String) {
            covering(&text, &path);
        }

        #[test]
        fn a_plain_path_covers_itself_alone(path in "(/[a-z.-]{1,8}){1,5}") {
            let text = format!("profile x {path} flags=(unconfined) {{\n}}");
            prop_assert_eq!(
                covering(&text, &path),
                Some(Covering { is_for_it_alone: true, confines: false })
            );
            let longer = format!("{path}x");
            prop_assert_eq!(covering(&text, &longer), None);
        }
    }
}
