//! Paragraphs as wide as the screen.

/// Breaks a text at its spaces, but not within backticks: a command is copied as a whole. The first
/// line has `used` columns taken already, the others hang by `indent`. Without a width it stays
/// one line.
pub(super) fn wrap(text: &str, used: usize, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut wrapped = String::new();
    let mut column = used;
    for (place, word) in words(text).into_iter().enumerate() {
        let length = word.chars().count();
        if place > 0 && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
        } else if place > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// The first so many characters, with a mark where there were more.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    let mark = if crate::ui::unicode() { "…" } else { "~" };
    format!("{}{mark}", kept.trim_end())
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '`' => quoted = !quoted,
            ' ' if !quoted => {
                words.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[from..]);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_never_broken() {
        let text = "run `docker network create --ipv6 n1` and try again";
        assert_eq!(
            wrap(text, 2, 4, Some(24)),
            "run\n    `docker network create --ipv6 n1`\n    and try again"
        );
        assert_eq!(wrap(text, 2, 4, None), text);
    }

    #[test]
    fn nothing_is_wider_than_the_screen_that_can_be_broken() {
        let text = "the target takes no TCP connection on these ports, from the host neither";
        for width in 16..90 {
            for line in wrap(text, 0, 4, Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}
