//! What dockerd needs for the packet filter: programs on its PATH, and for the legacy
//! ip6tables the kernel's tables.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::tools::find;
use crate::facts::{PacketFilter, WithoutModule};
use crate::host::{Host, regular};

/// Both families' program and what it is called where it is the legacy one (iptables(8)).
const LEGACY: &str = "xtables-legacy-multi";

/// Debian's alternatives decide which ip6tables it is (update-alternatives(1)).
const ALTERNATIVE: &str = "/etc/alternatives/ip6tables";

/// Where the modules of each kernel are listed (depmod(8)).
const MODULES: &str = "/lib/modules";

/// Looks along this PATH; where nobody knows that, at nothing.
pub(super) fn gather(path: Option<&str>, host: &Host) -> PacketFilter {
    let Some(path) = path.map(OsStr::new) else {
        return PacketFilter::default();
    };
    let missing = ["iptables", "ip6tables"]
        .iter()
        .filter(|name| find(name, path).is_none())
        .map(|&name| name.to_owned())
        .collect();
    let ip6tables = find("ip6tables", path);
    PacketFilter {
        missing,
        without_module: ip6tables.and_then(|program| without_module(program, &host.proc)),
    }
}

fn without_module(program: PathBuf, proc: &Path) -> Option<WithoutModule> {
    let leads_to = fs::canonicalize(&program).ok()?;
    if leads_to.file_name() != Some(OsStr::new(LEGACY)) || !lacks_tables(proc) {
        return None;
    }
    let nft = leads_to.with_file_name("ip6tables-nft");
    Some(WithoutModule {
        nft: (Path::new(ALTERNATIVE).exists() && nft.exists()).then_some(nft),
        not_built: is_not_built(&proc.join("sys/kernel/osrelease"), Path::new(MODULES)),
        program,
        leads_to,
    })
}

/// Whether the lists of this kernel's modules are there, and `ip6_tables` in neither.
fn is_not_built(osrelease: &Path, modules: &Path) -> bool {
    let Ok(release) = regular::text(osrelease) else {
        return false;
    };
    let lacks = |list: &str| {
        let list = regular::text(&modules.join(release.trim()).join(list));
        list.is_ok_and(|list| !list.contains("/ip6_tables.ko"))
    };
    lacks("modules.dep") && lacks("modules.builtin")
}

/// Whether the kernel has nothing of `ip6_tables`: the file is there in each netns, for whoever may
/// not read it too, as soon as it is loaded or built in (linux:net/netfilter/x_tables.c,
/// `xt_proto_init`). What its first table needs besides, the kernel loads by itself.
fn lacks_tables(proc: &Path) -> bool {
    let net = proc.join("net");
    let names = fs::metadata(net.join("ip6_tables_names"));
    let is_absent = names.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let modules = regular::text(&proc.join("modules"));
    let is_loaded = match &modules {
        Ok(modules) => modules.lines().any(|line| line.starts_with("ip6_tables ")),
        // A kernel without modules has no such file, and one that hides it tells nothing.
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    net.join("dev").exists() && is_absent && !is_loaded
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may write files plainly")]
mod tests {
    use super::*;

    #[test]
    fn tables_are_missing_only_where_all_says_so() {
        for (files, lacks) in [
            (&[("net/dev", "")][..], true),
            (
                &[("net/dev", ""), ("modules", "ip_tables 1 0 - Live 0x0\n")],
                true,
            ),
            (
                &[("net/dev", ""), ("modules", "ip6_tables 1 0 - Live 0x0\n")],
                false,
            ),
            (&[("net/dev", ""), ("net/ip6_tables_names", "")], false),
            // No proc at all.
            (&[], false),
        ] {
            let proc = tempfile::tempdir().unwrap();
            fs::create_dir(proc.path().join("net")).unwrap();
            for (file, text) in files {
                fs::write(proc.path().join(file), text).unwrap();
            }
            assert_eq!(lacks_tables(proc.path()), lacks, "{files:?}");
        }
    }

    #[test]
    fn a_module_is_not_built_only_where_both_lists_say_so() {
        let (dep, builtin) = ("modules.dep", "modules.builtin");
        let other = "kernel/net/ipv6/ipv6.ko.xz:\n";
        let module = "kernel/net/ipv6/netfilter/ip6_tables.ko.zst: kernel/x.ko\n";
        for (lists, expected) in [
            (&[(dep, other), (builtin, "")][..], true),
            (&[(dep, module), (builtin, "")], false),
            (&[(dep, other), (builtin, module)], false),
            (&[(dep, other)], false),
            // The kernel was replaced, and its modules are gone.
            (&[], false),
        ] {
            let place = tempfile::tempdir().unwrap();
            let osrelease = place.path().join("osrelease");
            fs::write(&osrelease, "6.17.1-arch1\n").unwrap();
            let modules = place.path().join("modules");
            fs::create_dir_all(modules.join("6.17.1-arch1")).unwrap();
            for (list, text) in lists {
                fs::write(modules.join("6.17.1-arch1").join(list), text).unwrap();
            }
            assert_eq!(is_not_built(&osrelease, &modules), expected, "{lists:?}");
        }
    }

    #[test]
    fn the_legacy_program_is_known_by_where_it_leads() {
        let directory = tempfile::tempdir().unwrap();
        let proc = directory.path().join("proc");
        fs::create_dir_all(proc.join("net")).unwrap();
        fs::write(proc.join("net/dev"), "").unwrap();
        for (multi, found) in [(LEGACY, true), ("xtables-nft-multi", false)] {
            let program = directory.path().join(format!("to-{multi}"));
            fs::write(directory.path().join(multi), "").unwrap();
            std::os::unix::fs::symlink(multi, &program).unwrap();
            assert_eq!(without_module(program, &proc).is_some(), found, "{multi}");
        }
    }
}
