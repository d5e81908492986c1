//! What is wanted: from flags, a TOML file and the wizard, merged into one [`Request`], resolved
//! into an [`Intent`], and turned back into a command line.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::capability;
use crate::facts::Version;
use crate::plan::subnet::{Subnet, TAP_NETWORK};

/// RootlessKit rejects more than this.
const LARGEST_MTU: u32 = 65521;

/// The MTU at which pasta and slirp4netns are fast (a multiple of 4 just below the limit).
pub(crate) const DEFAULT_MTU: u32 = 65520;

/// Seconds: whoever waits longer for IPv6 waits in vain, and dockerd with them.
pub const LONGEST_WAIT: i64 = 600;

/// Prefix lengths that leave containers some addresses without taking everybody's.
const BRIDGE_PREFIXES: std::ops::RangeInclusive<u8> = 32..=112;

/// What a person, a file or a script asks for; what is left open has a default or is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    /// RootlessKit's network driver [default: pasta, or slirp4netns where RootlessKit has no pasta]
    #[arg(
        long,
        value_enum,
        value_name = "DRIVER",
        env = "ROOTLESS6_NET",
        hide_env = true
    )]
    pub net: Option<Net>,
    /// RootlessKit's port driver [default: implicit with pasta, builtin with slirp4netns]
    #[arg(
        long,
        value_enum,
        value_name = "DRIVER",
        env = "ROOTLESS6_PORT_DRIVER",
        hide_env = true
    )]
    pub port_driver: Option<PortDriver>,
    /// MTU of RootlessKit's tap interface, or keep [default: 65520]
    #[arg(long, value_name = "N|keep", env = "ROOTLESS6_MTU", hide_env = true)]
    pub mtu: Option<Mtu>,
    /// Another option for RootlessKit; may be given several times
    #[arg(
        long = "flag",
        value_name = "TOKEN",
        allow_hyphen_values = true,
        env = "ROOTLESS6_FLAG",
        hide_env = true,
        value_delimiter = ' '
    )]
    pub flags: Vec<String>,
    /// docker0's IPv6 subnet: auto, a CIDR, or none to leave docker0 alone [default: auto]
    #[arg(
        long,
        value_name = "auto|CIDR|none",
        env = "ROOTLESS6_SUBNET",
        hide_env = true
    )]
    pub subnet: Option<SubnetChoice>,
    /// Whether networks made from now on have IPv6 without being asked [default: ipv6]
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        env = "ROOTLESS6_NEW_NETWORKS",
        hide_env = true
    )]
    pub new_networks: Option<NewNetworks>,
    /// Whether each start of dockerd gives tap0 an address and a route [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        env = "ROOTLESS6_UPLINK",
        hide_env = true
    )]
    pub uplink: Option<Uplink>,
    /// How long each start of dockerd waits for the host's IPv6, at most; 0 for not at all [default: as it is]
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u16).range(..=LONGEST_WAIT),
        env = "ROOTLESS6_WAIT_ONLINE",
        hide_env = true
    )]
    #[serde(deserialize_with = "wait_online")]
    pub wait_online: Option<u16>,
    /// Address or name that verification tries to reach; may be given several times
    #[arg(
        long = "target",
        value_name = "ADDR|NAME",
        env = "ROOTLESS6_TARGETS",
        hide_env = true,
        value_delimiter = ','
    )]
    pub targets: Vec<String>,
}

/// `--net`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Net {
    /// passt's pasta, which carries TCP, UDP and echo requests of both families
    Pasta,
    /// Carries TCP and UDP over IPv6, and echo requests from libslirp 4.8 on
    Slirp4netns,
    /// Whatever is configured now
    Keep,
}

/// `--port-driver`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortDriver {
    /// pasta forwards published ports itself
    Implicit,
    /// RootlessKit forwards them, of both families; not with pasta
    Builtin,
    /// slirp4netns forwards them, IPv4 alone, and keeps the source address
    Slirp4netns,
    /// Whatever is configured now
    Keep,
    /// What is configured now if it goes with pasta, else implicit: nobody has asked for one
    #[value(skip)]
    #[serde(skip)]
    FitForPasta,
}

/// `--new-networks`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewNetworks {
    /// New networks have IPv6; before Engine 27, where they say `--ipv6`
    Ipv6,
    /// Whatever is configured now
    Keep,
}

/// `--uplink`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uplink {
    /// Where RootlessKit gives tap0 no IPv6 by itself
    Auto,
    /// On every start
    Always,
    /// Not at all
    Never,
}

/// `--mtu`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mtu {
    /// This many bytes.
    Bytes(u32),
    /// Whatever is configured now.
    Keep,
}

/// `--subnet`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubnetChoice {
    /// A unique local one, where the Engine needs it named.
    Auto,
    /// This one.
    Named(Subnet),
    /// docker0 stays as it is.
    None,
}

/// What counts as the proof that IPv6 works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// TCP and ICMPv6 echo.
    Whole,
    /// TCP: the driver carries no ICMPv6.
    WithoutEcho,
}

/// A request with every hole filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// `--net`
    pub net: Net,
    /// `--port-driver`
    pub port_driver: PortDriver,
    /// `--mtu`
    pub mtu: Mtu,
    /// `--flag`
    pub flags: Vec<String>,
    /// `--subnet`
    pub subnet: SubnetChoice,
    /// `--new-networks`
    pub new_networks: NewNetworks,
    /// `--uplink`
    pub uplink: Uplink,
    /// `--wait-online`; none to leave what is written.
    pub wait_online: Option<u16>,
}

impl Request {
    /// Reads a request from TOML, whose keys are the flags' names.
    ///
    /// # Errors
    /// When it says something that no flag says: the parser's own words, with the line.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Fills this request's holes from another: flags first, then the file.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let list = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Self {
            net: self.net.or(other.net),
            port_driver: self.port_driver.or(other.port_driver),
            mtu: self.mtu.or(other.mtu),
            flags: list(self.flags, other.flags),
            subnet: self.subnet.or(other.subnet),
            new_networks: self.new_networks.or(other.new_networks),
            uplink: self.uplink.or(other.uplink),
            wait_online: self.wait_online.or(other.wait_online),
            targets: list(self.targets, other.targets),
        }
    }

    /// The driver that is asked for, else the best that this RootlessKit has.
    ///
    /// A version that nobody knows counts as a new one: a rehearsal tells before any harm is done.
    pub fn driver(&self, rootlesskit: Option<Version>) -> Net {
        let has_pasta = rootlesskit.is_none_or(|version| capability::rootlesskit(version).pasta);
        let best = if has_pasta {
            Net::Pasta
        } else {
            Net::Slirp4netns
        };
        self.net.unwrap_or(best)
    }

    /// Fills what is still open with the best that this RootlessKit can do.
    pub fn resolve(&self, rootlesskit: Option<Version>) -> Intent {
        let net = self.driver(rootlesskit);
        Intent {
            net,
            port_driver: self.port_driver.unwrap_or(match net {
                Net::Pasta => PortDriver::FitForPasta,
                Net::Slirp4netns => PortDriver::Builtin,
                Net::Keep => PortDriver::Keep,
            }),
            mtu: self.mtu.unwrap_or(Mtu::Bytes(DEFAULT_MTU)),
            flags: self.flags.clone(),
            subnet: self.subnet.unwrap_or(SubnetChoice::Auto),
            new_networks: self.new_networks.unwrap_or(NewNetworks::Ipv6),
            uplink: self.uplink.unwrap_or(Uplink::Auto),
            wait_online: self.wait_online,
        }
    }

    /// The flags that say the same, for a script.
    pub fn to_flags(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.push(format!("--{name}"));
                words.push(value);
            }
        };
        flag("net", self.net.map(value_name));
        flag("port-driver", self.port_driver.map(value_name));
        flag("mtu", self.mtu.map(|mtu| mtu.to_string()));
        for token in &self.flags {
            flag("flag", Some(token.clone()));
        }
        flag("subnet", self.subnet.map(|subnet| subnet.to_string()));
        flag("new-networks", self.new_networks.map(value_name));
        flag("uplink", self.uplink.map(value_name));
        let seconds = self.wait_online.map(|seconds| seconds.to_string());
        flag("wait-online", seconds);
        for target in &self.targets {
            flag("target", Some(target.clone()));
        }
        words
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the choices are small copies"
)]
fn value_name<T: ValueEnum>(choice: T) -> String {
    choice
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

impl FromStr for Mtu {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "keep" {
            return Ok(Self::Keep);
        }
        match text.parse() {
            Ok(bytes @ 1280..=LARGEST_MTU) => Ok(Self::Bytes(bytes)),
            _ => Err(format!(
                "not a number from 1280, the least that IPv6 allows, to {LARGEST_MTU}, the most that RootlessKit allows, nor keep"
            )),
        }
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Keep => f.write_str("keep"),
        }
    }
}

impl SubnetChoice {
    fn named(subnet: Subnet) -> Result<Self, String> {
        if subnet.overlaps(TAP_NETWORK) {
            return Err(format!(
                "overlaps {TAP_NETWORK}, which RootlessKit uses itself"
            ));
        }
        if !BRIDGE_PREFIXES.contains(&subnet.prefix()) {
            return Err("is no size for a bridge: a /64 is usual".to_owned());
        }
        Ok(Self::Named(subnet))
    }
}

impl FromStr for SubnetChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            cidr => Self::named(cidr.parse()?),
        }
    }
}

impl fmt::Display for SubnetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Named(subnet) => subnet.fmt(f),
        }
    }
}

impl Serialize for Mtu {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for SubnetChoice {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mtu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Word(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(bytes) => bytes.to_string(),
            Written::Word(word) => word,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn wait_online<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let Some(seconds) = Option::<u16>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if i64::from(seconds) > LONGEST_WAIT {
        let error = format!("wait-online is not a number from 0 to {LONGEST_WAIT}");
        return Err(serde::de::Error::custom(error));
    }
    Ok(Some(seconds))
}

impl<'de> Deserialize<'de> for SubnetChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_fill_first_then_the_file() {
        let flags = Request {
            mtu: Some(Mtu::Keep),
            ..Request::default()
        };
        let file: Request = toml::from_str(
            "mtu = 1500\nuplink = 'never'\ntargets = ['::1']\nsubnet = 'none'\nwait-online = 30",
        )
        .unwrap();
        let both = flags.or(file);
        assert_eq!(both.mtu, Some(Mtu::Keep));
        assert_eq!(both.uplink, Some(Uplink::Never));
        assert_eq!(
            both.to_flags().join(" "),
            "--mtu keep --subnet none --uplink never --wait-online 30 --target ::1"
        );
    }

    #[test]
    fn a_word_that_no_flag_knows_is_refused() {
        for text in [
            "nett = 'pasta'",
            "mtu = 9",
            "subnet = '10.0.0.0/8'",
            "net = 'vpnkit'",
            "wait-online = 601",
        ] {
            assert!(toml::from_str::<Request>(text).is_err(), "{text}");
        }
    }
}
