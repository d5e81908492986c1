//! The fault matrix: whatever breaks IPv6, verify neither passes it nor blames the wrong one.

use crate::behaviour::{ALL, Behaviour};
use crate::harness::{Lab, TARGET};
use crate::row::{Row, all_hold};

/// The Destination Unreachable codes of RFC 4443.
const CODES: std::ops::RangeInclusive<u16> = 0..=6;

/// Runs something in RootlessKit's netns, with its root's rights.
const INSIDE: &str =
    "nsenter -U --preserve-credentials -n -t $(cat $XDG_RUNTIME_DIR/dockerd-rootless/child_pid)";

#[test]
fn the_responders_addresses_say_what_they_do() {
    for behaviour in ALL {
        assert_eq!(Behaviour::of(behaviour.address()), behaviour);
    }
}

#[test]
fn on_trixie_no_fault_of_the_way_passes() {
    none_passes("trixie", of_the_way());
}

#[test]
fn on_trixie_no_router_that_rejects_passes() {
    none_passes("trixie", rejected());
}

#[test]
fn on_forky_no_fault_of_the_way_passes() {
    none_passes("forky", of_the_way());
}

#[test]
fn on_trixie_no_fault_of_this_machine_passes() {
    none_passes("trixie", of_this_machine());
}

#[test]
fn on_forky_no_fault_of_this_machine_passes() {
    none_passes("forky", of_this_machine());
}

fn none_passes(suite: &str, rows: Vec<Row>) {
    let Some(lab) = Lab::up(suite) else { return };
    lab.start_responder();
    lab.set_up();
    let mended = Row::new("all is mended");
    all_hold(&lab, rows.into_iter().chain([mended]));
}

/// Between the host and the target.
fn of_the_way() -> Vec<Row> {
    use Behaviour as B;
    let echo = "host.internet.icmp6";
    let filtered = |behaviour| Row::towards(behaviour).fails(echo, "icmp-filtered");
    let unreachable = |row: Row| row.fails(echo, "host-ipv6-unreachable");
    let forged = |row: Row| row.fails(echo, "forged-replies");
    let black_hole =
        |behaviour| Row::towards(behaviour).fails("netns.internet.pmtu", "pmtu-black-hole");
    vec![
        unreachable(Row::new("nobody has the address").asking("--target 2001:db8:53::dead")),
        unreachable(Row::new("the gateway answers and nobody beyond").internet(
            format!(
                "nft add table ip6 fault
                 nft 'add chain ip6 fault in {{ type filter hook input priority 0; }}'
                 nft add rule ip6 fault in ip6 daddr {TARGET} drop"
            ),
            "nft delete table ip6 fault",
        )),
        filtered(B::WithoutEcho),
        forged(Row::towards(B::WrongPayload)),
        forged(Row::towards(B::Truncated)),
        filtered(B::WrongIdentifier),
        filtered(B::WrongSource),
        forged(Row::new("somebody answers for everybody").internet(
            "ip -6 route add 3fff::/20 dev faulty0",
            "ip -6 route del 3fff::/20 dev faulty0",
        )),
        black_hole(B::BlackHole(1280)),
        black_hole(B::BlackHole(1400)),
        black_hole(B::Narrow(1000)),
        unreachable(Row::towards(B::Lossy(50))),
        unreachable(Row::towards(B::Late(1500))),
        unreachable(Row::towards(B::Late(4000))),
    ]
}

/// A router says so, with each of its reasons: to echoes alone, and to everything.
fn rejected() -> Vec<Row> {
    let echoes = CODES.map(|code| {
        Row::towards(Behaviour::RejectsEcho(code)).fails("host.internet.icmp6", "icmp-filtered")
    });
    let all = CODES.map(|code| {
        Row::towards(Behaviour::Rejects(code)).fails("host.internet.icmp6", "host-ipv6-unreachable")
    });
    echoes.chain(all).collect()
}

/// On the host, in RootlessKit's netns, and at dockerd.
fn of_this_machine() -> Vec<Row> {
    let echo = "host.internet.icmp6";
    let in_container = "container.internet.icmp6";
    vec![
        Row::new("the host has no default route")
            .root(
                "ip -6 route del default via 2001:db8:1::1",
                "ip -6 route add default via 2001:db8:1::1 dev eth0",
            )
            .fails(echo, "host-no-ipv6-route"),
        Row::new("the kernel lets nobody open an ICMP socket")
            .root(group_range("1 0"), group_range("0 2147483647"))
            .fails("netns.internet.icmp6", "host-ping-group-range"),
        Row::new("the target is the host itself")
            .asking("--target 2001:db8:1::2")
            .proves_nothing(echo),
        // As RootlessKit 2.0 leaves it. Without the address alone, docker0's is a source good enough.
        Row::new("tap0 has neither address nor default route")
            .alice(
                format!("{INSIDE} ip -6 addr flush dev tap0 scope global && {INSIDE} ip -6 route del default"),
                "rootless6 uplink",
            )
            .fails("netns.internet.icmp6", "rootlesskit-without-ipv6-config"),
        // pasta takes whichever address it has seen last for that of all RootlessKit: what comes back may
        // reach a container, or what comes in for a published port, and does so no more a moment later.
        Row::new("nobody masquerades")
            .alice(
                format!("{INSIDE} ip6tables-save -t nat >nat && {INSIDE} ip6tables -t nat -F POSTROUTING"),
                format!("{INSIDE} ip6tables-restore -T nat <nat && rm nat"),
            )
            .passes_by_luck_alone(&["container-unreachable", "published-port-dead"]),
        Row::new("nothing but [::1] refuses the published port")
            .root(
                "nft add table ip6 fault
                 nft 'add chain ip6 fault in { type filter hook input priority 0; }'
                 nft add rule ip6 fault in ip6 daddr ::1 tcp flags syn reject with tcp reset",
                "nft delete table ip6 fault",
            )
            .fails("host.published.tcp6", "published-port-dead"),
        Row::new("a network without IPv6")
            .alice(
                "docker network create --ipv6=false four",
                "docker network rm four",
            )
            .asking("--network four")
            .fails("container[four].internet.icmp6", "network-without-ipv6"),
        Row::new("a container on the host's network")
            .alice(
                "docker run -d --name hostly --network host --stop-signal KILL busybox sleep 600",
                "docker rm -f hostly",
            )
            .asking("--container hostly")
            .refused("no network of its own"),
        // RootlessKit's resolver 10.0.2.3 is IPv4's.
        Row::new("a host without IPv4, whose containers ask a resolver over IPv4")
            .root(WITHOUT_IPV4, WITH_IPV4)
            .fails("container.dns.aaaa", "dns-without-aaaa"),
        Row::new("docker0 has no IPv6")
            .daemon_json(r#"s/"ipv6": true/"ipv6": false/"#)
            .fails(in_container, "bridge-without-ipv6"),
        Row::new("dockerd leaves ip6tables alone")
            .daemon_json(r#"s/"ip6tables": true,//; s/^{/{ "ip6tables": false,/"#)
            .passes_by_luck_alone(&["ip6tables-off"]),
        Row::new("the containers' resolver knows no IPv6 address")
            .daemon_json(r#"s/^{/{ "dns": ["2001:db8:53::54"],/"#)
            .fails("container.dns.aaaa", "dns-without-aaaa"),
    ]
}

/// IPv6 alone: the far side's IPv4 target is out of reach as well.
pub(crate) const WITHOUT_IPV4: &str = "ip addr del 192.0.2.130/25 dev eth0";
pub(crate) const WITH_IPV4: &str =
    "ip addr add 192.0.2.130/25 dev eth0 && ip route add default via 192.0.2.129 dev eth0";

fn group_range(range: &str) -> String {
    format!("echo {range} >/proc/sys/net/ipv4/ping_group_range")
}
