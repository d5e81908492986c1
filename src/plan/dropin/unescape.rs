//! Words of a unit file value, as systemd's `extract_first_word` cuts them with `EXTRACT_UNQUOTE|EXTRACT_CUNESCAPE`
//! (systemd:src/basic/extract-word.c, escape.c).

use super::BLANKS;

/// A quote that is never closed, a lone backslash at the end, or an escape that C does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadSyntax;

/// The words of a value. An `Err` is the last item: systemd keeps the words before it and drops the rest.
///
/// Words are bytes, for `\xff` is a byte and need not be UTF-8 by itself.
pub(super) struct Words<'a> {
    rest: &'a [u8],
}

pub(super) fn words(value: &str) -> Words<'_> {
    Words {
        rest: value.as_bytes(),
    }
}

impl Iterator for Words<'_> {
    type Item = Result<Vec<u8>, BadSyntax>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.rest.iter().position(|&byte| !is_blank(byte))?;
        self.rest = &self.rest[start..];
        let word = self.word();
        if word.is_err() {
            self.rest = &[];
        }
        Some(word)
    }
}

impl Words<'_> {
    /// Quotes may open and close anywhere in a word: `A="x y"z` is one.
    fn word(&mut self) -> Result<Vec<u8>, BadSyntax> {
        let mut word = Vec::new();
        let mut quote = None;
        while let Some((&byte, rest)) = self.rest.split_first() {
            if quote.is_none() && is_blank(byte) {
                return Ok(word);
            }
            self.rest = rest;
            match byte {
                b'\\' => {
                    let length = unescape(rest, &mut word).ok_or(BadSyntax)?;
                    self.rest = &rest[length..];
                }
                _ if quote == Some(byte) => quote = None,
                b'\'' | b'"' if quote.is_none() => quote = Some(byte),
                _ => word.push(byte),
            }
        }
        match quote {
            None => Ok(word),
            Some(_) => Err(BadSyntax),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    BLANKS.contains(&char::from(byte))
}

/// Appends what the escape after a backslash stands for, and says how many bytes it took. NUL is never accepted.
fn unescape(escape: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let plain = match *escape.first()? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b's' => b' ',
        quoted @ (b'\\' | b'"' | b'\'') => quoted,
        b'x' => {
            word.push(u8::try_from(number(escape.get(1..3)?, 16)?).ok()?);
            return Some(3);
        }
        b'u' => {
            push_code_point(number(escape.get(1..5)?, 16)?, word)?;
            return Some(5);
        }
        b'U' => {
            push_code_point(number(escape.get(1..9)?, 16)?, word)?;
            return Some(9);
        }
        b'0'..=b'7' => {
            word.push(u8::try_from(number(escape.get(..3)?, 8)?).ok()?);
            return Some(3);
        }
        _ => return None,
    };
    word.push(plain);
    Some(1)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let number = digits.iter().try_fold(0_u32, |sum, &digit| {
        sum.checked_mul(radix)?
            .checked_add(char::from(digit).to_digit(radix)?)
    })?;
    (number != 0).then_some(number)
}

/// A noncharacter passes here, and makes the word invalid UTF-8 afterwards. A surrogate is an unknown
/// escape since 262; up to 257 it passed as well.
fn push_code_point(code: u32, word: &mut Vec<u8>) -> Option<()> {
    word.extend(char::from_u32(code)?.to_string().bytes());
    Some(())
}
