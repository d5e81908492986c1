//! Text from outside (network, Engine, containers, other programs) made safe to print.

/// Longest text from outside that is shown, in characters.
const LONGEST: usize = 300;

/// One line without control characters, terminal escapes included, cut at 300 characters.
pub fn plain(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    if text.chars().count() > LONGEST {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_stripped_and_length_is_capped() {
        assert_eq!(plain("a\x1b[31mred\x07\nb"), "a[31mred b");
        assert_eq!(plain(&"x".repeat(400)).chars().count(), 301);
    }
}
