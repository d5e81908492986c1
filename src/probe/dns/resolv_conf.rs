//! The name servers that resolv.conf(5) names. Pure.

use std::net::{IpAddr, Ipv4Addr};

/// glibc's MAXNS: no process here asks more.
const MOST: usize = 3;

/// A name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub address: IpAddr,
    /// The link of a link-local one, by name or number.
    pub scope: Option<String>,
}

/// The first three name servers; where there is none, the one on this machine, as the manual says.
pub(super) fn servers(text: &[u8]) -> Vec<Server> {
    let mut servers: Vec<Server> = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| server(std::str::from_utf8(line).ok()?))
        .take(MOST)
        .collect();
    if servers.is_empty() {
        servers.push(Server {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            scope: None,
        });
    }
    servers
}

/// The keyword begins the line; what follows the address is a comment to all who read such files.
fn server(line: &str) -> Option<Server> {
    let rest = line.strip_prefix("nameserver")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let word = rest.split_ascii_whitespace().next()?;
    let (address, scope) = match word.split_once('%') {
        Some((address, scope)) => (address, Some(scope.to_owned())),
        None => (word, None),
    };
    Some(Server {
        address: address.parse().ok()?,
        scope,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        let words = servers(text.as_bytes()).into_iter().map(|server| {
            let scope = server.scope.map(|scope| format!("%{scope}"));
            format!("{}{}", server.address, scope.unwrap_or_default())
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn name_servers_are_found_among_anything_else() {
        let cases = [
            ("", "127.0.0.1"),
            ("search example\noptions ndots:0\n", "127.0.0.1"),
            ("nameserver 127.0.0.11\noptions ndots:0\n", "127.0.0.11"),
            ("nameserver\t2001:db8::53  # home\r\n", "2001:db8::53"),
            (
                "nameserver fe80::1%eth0\nnameserver fe80::1%2",
                "fe80::1%eth0 fe80::1%2",
            ),
            (
                "#nameserver 192.0.2.1\n;nameserver 192.0.2.2\n nameserver 192.0.2.3",
                "127.0.0.1",
            ),
            (
                "nameserver192.0.2.1\nnameserver x\nnameserver \nnameserver",
                "127.0.0.1",
            ),
            (
                "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
                "192.0.2.1 192.0.2.2 192.0.2.3",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_that_are_no_text_hide_no_other() {
        let text = b"nameserver \xff\xfe\n\0\0\0\nnameserver 192.0.2.1\n";
        assert_eq!(servers(text)[0].address, IpAddr::from([192, 0, 2, 1]));
    }
}
