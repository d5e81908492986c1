//! dockerd starts before the host has IPv6.

use crate::harness::{Lab, TARGET};

#[test]
fn on_trixie_a_start_before_ipv6_is_named_cured_and_the_next_boot_waits() {
    let Some(lab) = Lab::up("trixie") else { return };
    lab.set_up();
    let without = lab.read("~/.config/systemd/user/docker.service.d/zz-rootless6.conf");
    assert!(!without.contains("wait-online"), "nobody has asked for it");

    boot_with_late_ipv6(&lab);
    assert_ne!(lab.ping_from("bridge").status, 0, "pasta is deaf");
    let verify = lab.alice("rootless6 verify --json").exits(1).json();
    assert_eq!(verify["cause"], "started-before-ipv6");

    let setup = lab
        .alice("rootless6 setup --yes --accept containers-restart")
        .exits(0);
    setup.says(&["wait-online --for 60", "--wait-online 0"]);
    lab.ping_from("bridge").exits(0);

    boot_with_late_ipv6(&lab);
    lab.ping_from("bridge").exits(0);
    lab.alice("rootless6 verify").exits(0);
    let again = lab.alice("rootless6 setup --yes --json").exits(0).json();
    assert_eq!(again["changed"], false, "what is written is kept");

    lab.alice("rootless6 setup --yes --accept containers-restart --wait-online 0")
        .exits(0);
    let taken_away = lab.read("~/.config/systemd/user/docker.service.d/zz-rootless6.conf");
    assert_eq!(taken_away, without);
}

#[test]
fn on_forky_pasta_forwards_as_soon_as_ipv6_comes() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.set_up();
    boot_with_late_ipv6(&lab);
    // The host itself answers while its address is still under duplicate address detection.
    lab.alice(&format!(
        "timeout 20 sh -c 'until docker run --rm busybox ping6 -c1 -W1 {TARGET}; do :; done'"
    ))
    .exits(0);
    lab.alice("rootless6 verify").exits(0);
}

#[test]
fn dockerd_starts_however_long_ipv6_takes() {
    let Some(lab) = Lab::up("trixie") else { return };
    let setup = "rootless6 setup --yes --accept containers-restart --wait-online";
    lab.alice(&format!("{setup} 2")).exits(0);
    take_ipv6_away(&lab);
    lab.reboot();
    let journal = "journalctl --user -u docker.service -o cat --no-pager";
    lab.alice(journal)
        .says(&["the host has no IPv6 after 2 s; dockerd starts without it"]);

    // A unit that is given up earlier is not made to wait longer.
    lab.plant("limit.conf", "[Service]\nTimeoutStartSec=20\n");
    let refused = lab.alice(&format!("{setup} 30 --no-verify")).exits(2);
    refused.says(&["20 s", "--wait-online 10"]);
    lab.alice(&format!("{setup} 601")).exits(2);
}

fn boot_with_late_ipv6(lab: &Lab) {
    take_ipv6_away(lab);
    lab.reboot_without_dockerd();
    // The scene itself: this is how long the network takes.
    lab.root(
        "sleep 10
         ip addr add 2001:db8:1::2/64 dev eth0
         ip -6 route add default via 2001:db8:1::1 dev eth0",
    )
    .exits(0);
    let ready = "until systemctl --user -q is-active docker && ping -6 -c1 -W1 2001:db8:53::53; do sleep 0.1; done";
    lab.alice(&format!("timeout 60 bash -c '{ready}' >&2"))
        .exits(0);
}

fn take_ipv6_away(lab: &Lab) {
    lab.root("ip -6 addr flush dev eth0 scope global; ip -6 route flush default")
        .exits(0);
}
