use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What dockerd lacks for the packet filter, as far as it could be looked at: where nothing stands,
/// nothing is known to be wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PacketFilter {
    /// Of `iptables` and `ip6tables`, what the PATH that programs are looked for along does not lead to.
    pub missing: Vec<String>,
    /// The unit's ip6tables, where it is the legacy one and the kernel has nothing for it.
    pub without_module: Option<WithoutModule>,
}

/// An ip6tables that the kernel does not serve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WithoutModule {
    /// Where the unit finds it.
    pub program: PathBuf,
    /// What it really is, `/usr/sbin/xtables-legacy-multi`.
    pub leads_to: PathBuf,
    /// The ip6tables beside it that uses `nf_tables`, if it is there.
    pub nft: Option<PathBuf>,
    /// Whether the running kernel came without the module: there is nothing to load.
    pub not_built: bool,
}

/// A port of a running container that is published on an address of loopback alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopbackPort {
    /// The container's name.
    pub container: String,
    /// `127.0.0.1:8080` or `[::1]:8080`
    pub address: String,
}
