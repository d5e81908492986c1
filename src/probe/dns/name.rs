//! Names as DNS carries them. Pure.

use std::fmt;
use std::net::Ipv6Addr;

/// RFC 1035 section 2.3.4.
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 255;
/// Pointers within one name: more than any server writes, and no work to follow.
const MOST_POINTERS: usize = 32;

/// A domain name: its labels, in small letters, because letters of either case are one to DNS
/// (RFC 4343).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    labels: Vec<Vec<u8>>,
}

impl Name {
    /// From how people write it, with or without the last full stop; none when DNS cannot carry it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let labels: Vec<Vec<u8>> = text
            .split('.')
            .map(|label| label.to_ascii_lowercase().into_bytes())
            .collect();
        let fits = labels
            .iter()
            .all(|label| (1..=LONGEST_LABEL).contains(&label.len()) && label.is_ascii());
        let name = Self { labels };
        (fits && name.wire().len() <= LONGEST_NAME).then_some(name)
    }

    /// Where the name of an address stands (RFC 3596 section 2.5).
    pub(super) fn of_address(address: Ipv6Addr) -> Self {
        let nibbles = address.octets().into_iter().rev();
        let mut labels: Vec<Vec<u8>> = nibbles
            .flat_map(|byte| [byte & 15, byte >> 4])
            .map(|nibble| format!("{nibble:x}").into_bytes())
            .collect();
        labels.extend([b"ip6".to_vec(), b"arpa".to_vec()]);
        Self { labels }
    }

    /// Its bytes, without compression.
    pub(super) fn wire(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in &self.labels {
            bytes.push(u8::try_from(label.len()).unwrap_or(0));
            bytes.extend(label);
        }
        bytes.push(0);
        bytes
    }

    /// Reads a name that starts at `at`, and where what follows it begins. A compression pointer must
    /// lead further back than where the labels before it began (RFC 1035 section 4.1.4), so that
    /// none leads in a circle.
    pub(super) fn read(bytes: &[u8], at: usize) -> Option<(Self, usize)> {
        let mut labels = Vec::new();
        let mut length = 1;
        let (mut start, mut at) = (at, at);
        let mut end = None;
        let mut pointers = 0;
        loop {
            let first = usize::from(*bytes.get(at)?);
            match first {
                0 => return Some((Self { labels }, end.unwrap_or(at + 1))),
                1..=LONGEST_LABEL => {
                    let label = bytes.get(at + 1..at + 1 + first)?;
                    length += 1 + first;
                    if length > LONGEST_NAME {
                        return None;
                    }
                    labels.push(label.to_ascii_lowercase());
                    at += 1 + first;
                }
                0xc0.. => {
                    let pointer = (first & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
                    pointers += 1;
                    if pointer >= start || pointers > MOST_POINTERS {
                        return None;
                    }
                    end.get_or_insert(at + 2);
                    (start, at) = (pointer, pointer);
                }
                _ => return None,
            }
        }
    }
}

/// As people write it; what is no letter, digit, hyphen or underline is escaped (RFC 1035 section
/// 5.1).
impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, label) in self.labels.iter().enumerate() {
            if place > 0 {
                out.write_str(".")?;
            }
            for byte in label {
                match byte {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                        write!(out, "{}", char::from(*byte))?
                    }
                    other => write!(out, "\\{other:03}")?,
                }
            }
        }
        Ok(())
    }
}
