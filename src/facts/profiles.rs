//! Which programs AppArmor's profiles are for (apparmor.d(5)).

/// More alternatives in braces than this are no longer told apart.
const ALTERNATIVES: usize = 64;

/// Whether a file of /etc/apparmor.d has a profile for the program at this path. What such a
/// pattern leaves to variables counts as anything: better no alarm than a false one.
pub(crate) fn covers(text: &str, path: &str) -> bool {
    let path: Vec<char> = path.chars().collect();
    text.lines().filter_map(attachment).any(|pattern| {
        let mut patterns = alternatives(&pattern);
        patterns.any(|pattern| matches(&pattern, &path))
    })
}

/// The pattern at the head of a profile: `profile NAME /usr/bin/x flags=(…) {`, `/usr/bin/x {`.
fn attachment(line: &str) -> Option<String> {
    let line = line.trim().strip_suffix('{')?;
    let mut words = line.split_whitespace();
    let is_pattern = |word: &&str| {
        let word = word.trim_start_matches('"');
        word.starts_with('/') || word.starts_with("@{")
    };
    let pattern = match words.next()? {
        // A profile without one is named after its program, or is for none.
        "profile" => words.take(2).find(is_pattern)?,
        word => Some(word).filter(is_pattern)?,
    };
    Some(pattern.trim_matches('"').to_owned())
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
            ("# profile pasta /usr/bin/pasta {", "/usr/bin/pasta", false),
            ("profile pasta {", "/usr/bin/pasta", false),
            ("  /usr/bin/pasta rix,", "/usr/bin/pasta", false),
            ("", "/usr/bin/pasta", false),
        ] {
            assert_eq!(covers(text, path), covered, "{text:?}, {path}");
        }
    }

    #[test]
    fn many_alternatives_take_no_time() {
        let text = format!("/{} {{", "{a,b}{,c,{d,e}}**".repeat(50));
        let began = std::time::Instant::now();
        covers(&text, &"/a".repeat(200));
        assert!(began.elapsed().as_secs() < 5);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in r"(profile |/|@\{|\{|\}|\*|\[|\\|,|[a-z ]|\PC){0,40}\{", path: String) {
            covers(&text, &path);
        }

        #[test]
        fn a_plain_path_covers_itself_alone(path in "(/[a-z.-]{1,8}){1,5}") {
            let text = format!("profile x {path} flags=(unconfined) {{\n}}");
            prop_assert!(covers(&text, &path));
            let longer = format!("{path}x");
            prop_assert!(!covers(&text, &longer));
        }
    }
}
