//! IPv6 subnets for containers, as RFC 4193 has them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// tap0's own network under slirp4netns and under RootlessKit 3.2 and later.
pub const TAP_NETWORK: Subnet = Subnet {
    network: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0),
    prefix: 64,
};

/// A prefix in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    network: Ipv6Addr,
    prefix: u8,
}

impl Subnet {
    /// A unique local /48: fd00::/8 and a Global ID of 40 random bits (RFC 4193 section 3.1; the
    /// bits of the kernel's generator meet the requirement of section 3.2).
    pub fn unique_local(global_id: [u8; 5]) -> Self {
        let [a, b, c, d, e] = global_id.map(u16::from);
        Self {
            network: Ipv6Addr::new(0xfd00 | a, b << 8 | c, d << 8 | e, 0, 0, 0, 0, 0),
            prefix: 48,
        }
    }

    /// The subnet that an address with a prefix length of 0–128 is in.
    pub fn around(address: Ipv6Addr, prefix: u8) -> Self {
        let prefix = prefix.min(128);
        Self {
            network: Ipv6Addr::from_bits(address.to_bits() & mask(prefix)),
            prefix,
        }
    }

    /// The prefix length, 0–128.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The longer prefix with this Subnet ID (RFC 4193: the 16 bits after the Global ID).
    #[must_use]
    pub fn with_id(self, subnet_id: u16, prefix: u8) -> Self {
        let bits = self.network.to_bits() | u128::from(subnet_id) << 64;
        Self {
            network: Ipv6Addr::from_bits(bits),
            prefix,
        }
    }

    /// Whether two subnets have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.network.to_bits() & mask == other.network.to_bits() & mask
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

/// Whether a text is an IPv6 subnet that has an address in common with another; what is none
/// overlaps nothing.
pub fn overlaps(text: &str, other: Subnet) -> bool {
    text.parse::<Subnet>()
        .is_ok_and(|subnet| subnet.overlaps(other))
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(network, prefix)| {
            let network = network.parse().ok()?;
            let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
            Some(Self { network, prefix })
        });
        let Some(subnet) = parsed else {
            return Err("not an IPv6 subnet such as fd12:3456:789a:1::/64".to_owned());
        };
        if subnet.network.to_bits() & !mask(subnet.prefix) != 0 {
            return Err("has bits set beyond its prefix".to_owned());
        }
        Ok(subnet)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_local_prefix_has_40_bits_of_its_own() {
        let site = Subnet::unique_local([0x12, 0x34, 0x56, 0x78, 0x9a]);
        assert_eq!(site.to_string(), "fd12:3456:789a::/48");
        assert_eq!(site.with_id(1, 64).to_string(), "fd12:3456:789a:1::/64");
        assert_eq!(
            site.with_id(0x100, 56).to_string(),
            "fd12:3456:789a:100::/56"
        );
    }

    #[test]
    fn overlap_is_what_the_shorter_prefix_says() {
        assert!(overlaps("fd00::/80", TAP_NETWORK));
        assert!(overlaps("fd00::/16", TAP_NETWORK));
        assert!(overlaps("::/0", TAP_NETWORK));
        assert!(!overlaps("fd00:0:0:1::/64", TAP_NETWORK));
        assert!(!overlaps("nonsense", TAP_NETWORK));
    }

    #[test]
    fn an_address_is_in_one_subnet() {
        let address = "2001:db8:1::2".parse().unwrap();
        for (prefix, subnet) in [
            (64, "2001:db8:1::/64"),
            (128, "2001:db8:1::2/128"),
            (0, "::/0"),
            (200, "2001:db8:1::2/128"),
        ] {
            assert_eq!(Subnet::around(address, prefix).to_string(), subnet);
        }
    }

    #[test]
    fn what_is_no_subnet_is_refused() {
        for text in [
            "",
            "fd00::",
            "10.0.0.0/8",
            "fd00::/129",
            "fd00::1/64",
            "fd00::/x",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        assert!("::/0".parse::<Subnet>().is_ok());
        assert!("fd00::1/128".parse::<Subnet>().is_ok());
    }
}
