//! The files of `EnvironmentFile=`: almost a shell's assignments, and not quite.

use super::environment::is_name;
use super::{BLANKS, is_utf8_for_systemd};

/// The characters that a backslash takes the meaning from between double quotes.
const ESCAPABLE: &str = "\"\\`$";

/// What a file of `EnvironmentFile=` sets, in its order (systemd.exec(5); systemd:src/basic/env-file.c
/// `parse_env_file_internal`). Lines without `=`, and names that are none, are passed over; a NUL
/// anywhere, or what is no UTF-8 outside of comments, makes it refuse the whole file: none.
pub fn environment_file(text: &str) -> Option<Vec<(String, String)>> {
    if text.contains('\0') {
        return None;
    }
    let mut variables = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(&next) = characters.peek() {
        if BLANKS.contains(&next) {
            characters.next();
        } else if matches!(next, '#' | ';') {
            comment(&mut characters);
        } else if let Some(name) = name(&mut characters) {
            let value = value(&mut characters);
            if !is_utf8_for_systemd(&name) || !is_utf8_for_systemd(&value) {
                return None;
            }
            if is_name(&name) {
                variables.push((name, value));
            }
        }
    }
    Some(variables)
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// To the end of the line: since systemd 254 a backslash there does not make it longer.
fn comment(characters: &mut Characters<'_>) {
    characters.any(|character| matches!(character, '\n' | '\r'));
}

/// Up to the `=`, which is consumed; none if the line ends first.
fn name(characters: &mut Characters<'_>) -> Option<String> {
    let mut name = String::new();
    for character in characters.by_ref() {
        match character {
            '=' => return Some(name.trim_end_matches(BLANKS).to_owned()),
            '\n' | '\r' => return None,
            other => name.push(other),
        }
    }
    None
}

/// Up to the end of the line, which quotes and backslashes may move. Quotes count only where the
/// value begins or right after others, and blanks there go, as those at the end do.
fn value(characters: &mut Characters<'_>) -> String {
    let mut value = String::new();
    // How much of the value is there to stay: what follows it so far are blanks.
    let mut kept = 0;
    let mut begins = true;
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\r' => break,
            ' ' | '\t' if begins => continue,
            ' ' | '\t' => {
                value.push(character);
                continue;
            }
            '\'' if begins => {
                value.extend(characters.by_ref().take_while(|&inner| inner != '\''));
            }
            '"' if begins => double_quoted(characters, &mut value),
            '\\' => {
                let escaped = characters.next();
                value.extend(escaped.filter(|escaped| !matches!(escaped, '\n' | '\r')));
                begins = false;
            }
            other => {
                value.push(other);
                begins = false;
            }
        }
        kept = value.len();
    }
    value.truncate(kept);
    value
}

fn double_quoted(characters: &mut Characters<'_>, value: &mut String) {
    while let Some(character) = characters.next() {
        match character {
            '"' => return,
            '\\' => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => {
                    if !ESCAPABLE.contains(escaped) {
                        value.push('\\');
                    }
                    value.push(escaped);
                }
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("A=1\nB=2\n", &[("A", "1"), ("B", "2")][..]),
            ("# A=1\n; B=2\n  C=3", &[("C", "3")]),
            ("# comment \\\nA=1", &[("A", "1")]),
            ("A=  x y  \n", &[("A", "x y")]),
            ("A='x  ' \nB=\" y\"z", &[("A", "x  "), ("B", " yz")]),
            ("A=\"a\\\"b\\\\c\\d\"", &[("A", "a\"b\\c\\d")]),
            ("A='x\ny'\nB=2", &[("A", "x\ny"), ("B", "2")]),
            ("A=x\\\ny\\ \\z", &[("A", "xy z")]),
            ("export A=1\nnothing\nB=2", &[("B", "2")]),
            ("A = 1", &[("A", "1")]),
            ("A=x\"y z\"w'v", &[("A", "x\"y z\"w'v")]),
            ("A=\"a\" \"b\"  c d  ", &[("A", "abc d")]),
            ("A=\"  \" ", &[("A", "  ")]),
            ("A='a\\'b'", &[("A", "a\\b'")]),
            ("A=\"un\nB=2", &[("A", "un\nB=2")]),
            ("A=x#y;z", &[("A", "x#y;z")]),
            ("A=1\r\nB=\r\nA=3", &[("A", "1"), ("B", ""), ("A", "3")]),
            ("A=$HOME", &[("A", "$HOME")]),
            ("A=x\\\r\ny=1\nB=2", &[("A", "x"), ("y", "1"), ("B", "2")]),
            ("\u{2003}A=1\nB\u{a0}=2\nC=\u{2003}3", &[("C", "\u{2003}3")]),
            ("# \u{fffe}\nA=1", &[("A", "1")]),
        ] {
            let read = environment_file(text).unwrap();
            let read: Vec<_> = read
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(read, expected, "{text:?}");
        }
        for text in ["A=1\n#\0", "A=1\nB=\u{fffe}", "A=1\n\u{fffe} ="] {
            assert_eq!(environment_file(text), None, "{text:?}");
        }
    }
}
