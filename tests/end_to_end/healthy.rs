//! What looks odd and is well: none of it may fail.

use serde_json::Value;

use crate::behaviour::Behaviour;
use crate::faults::{WITH_IPV4, WITHOUT_IPV4};
use crate::harness::{Lab, outcome};
use crate::row::{Row, all_hold};

/// What the contract promises to scripts.
const IDS: [&str; 12] = [
    "host.internet.icmp6",
    "host.internet.tcp6",
    "netns.internet.icmp6",
    "netns.internet.tcp6",
    "container.internet.icmp6",
    "container.internet.tcp6",
    "container.container.icmp6",
    "host.published.tcp6",
    "host.published.tcp4",
    "container.dns.aaaa",
    "netns.internet.pmtu",
    "container.internet.pmtu",
];

#[test]
fn on_trixie_every_check_passes_and_nothing_odd_fails() {
    let Some(lab) = Lab::up("trixie") else { return };
    nothing_odd_fails(&lab);
}

#[test]
fn on_forky_every_check_passes_and_nothing_odd_fails() {
    let Some(lab) = Lab::up("forky") else { return };
    nothing_odd_fails(&lab);
}

fn nothing_odd_fails(lab: &Lab) {
    lab.start_responder();
    lab.set_up();
    let verify = lab.alice("rootless6 verify --target both.test --json");
    let verify: Value = verify.exits(0).json();
    assert_eq!(verify["cause"], Value::Null);
    for id in IDS {
        assert_eq!(outcome(&verify, id), "pass", "{id}");
    }
    assert_eq!(outcome(&verify, "container.internet.tcp4"), "pass");
    all_hold(lab, odd());
}

fn odd() -> Vec<Row> {
    use Behaviour as B;
    vec![
        Row::towards(B::HeldAtFirst),
        Row::towards(B::Late(200)),
        Row::towards(B::Late(600)),
        Row::towards(B::Lossy(10)),
        Row::towards(B::Twice),
        Row::towards(B::WithoutTcp),
        Row::new("the target refuses TCP").internet(
            "nft add table ip6 odd
             nft 'add chain ip6 odd in { type filter hook input priority 0; }'
             nft add rule ip6 odd in ip6 daddr 2001:db8:aa::/64 meta l4proto tcp reject with tcp reset",
            "nft delete table ip6 odd",
        ).asking("--target 2001:db8:aa::1"),
        // A tunnel of the least MTU that IPv6 allows, whose routers say so, carries everything.
        Row::towards(B::Narrow(1280)),
        Row::new("one target of two is dead").asking("--target 2001:db8:53::dead --target 2001:db8:53::53"),
        Row::new("several default routes").root(
            "ip -6 route add default via 2001:db8:1::1 dev eth0 metric 2048
             ip -6 route add default via 2001:db8:1::99 dev eth0 metric 4096",
            "ip -6 route del default via 2001:db8:1::99 dev eth0 metric 4096
             ip -6 route del default via 2001:db8:1::1 dev eth0 metric 2048",
        ),
        Row::new("a new network, its address under duplicate address detection")
            .alice(
                "docker network create --ipv6 --subnet fd00:5::/64 fresh",
                "docker network rm fresh",
            )
            .asking("--network fresh"),
        Row::new("30 networks").alice(
            "for i in $(seq 30); do docker network create --ipv6 --subnet fd00:30:0:$i::/64 many$i & done >/dev/null
             wait; [ $(docker network ls -q --filter name=many | wc -l) = 30 ]",
            "docker network rm $(docker network ls -q --filter name=many) | wc -l",
        ),
        Row::new("a container without any shell")
            .alice(
                "mkdir bare && cp /bin/busybox bare/sleep && tar -C bare -c sleep | docker import - bare
                 docker run -d --name bare --stop-signal KILL bare /sleep 600",
                "docker rm -f bare && docker rmi bare && rm -r bare",
            )
            .asking("--container bare"),
        // dockerd starts on such a host; RootlessKit's own resolver 10.0.2.3 would be IPv4's.
        Row::new("a host without IPv4")
            .root(WITHOUT_IPV4, WITH_IPV4)
            .daemon_json(r#"s/^{/{ "dns": ["2001:db8:53::53"],/"#),
        learned_route(),
        unique_local(),
    ]
}

/// dnsmasq advertises the far side as router, and nobody has set a route.
fn learned_route() -> Row {
    Row::new("a default route learned from a router")
        .internet(
            "setsid dnsmasq --conf-file=/dev/null --port=0 --enable-ra --dhcp-range=2001:db8:1::,ra-only,64 \
                 --interface=net0 --pid-file=/run/ra.pid",
            "kill $(cat /run/ra.pid)",
        )
        .root(
            "sysctl -w net.ipv6.conf.eth0.accept_ra=2
             ip -6 route del default via 2001:db8:1::1
             timeout 30 sh -c 'until ip -6 route show default | grep \"proto ra\"; do sleep 0.1; done'",
            "sysctl -w net.ipv6.conf.eth0.accept_ra=0
             ip -6 route flush proto ra && ip -6 addr flush dev eth0 dynamic
             ip -6 route replace default via 2001:db8:1::1 dev eth0",
        )
}

/// Both ends of the wire have unique local addresses only; the target answers all the same.
fn unique_local() -> Row {
    Row::new("an uplink with unique local addresses only")
        .internet(
            "ip addr add fd00:1::1/64 dev net0 nodad && ip addr del 2001:db8:1::1/64 dev net0",
            "ip addr add 2001:db8:1::1/64 dev net0 nodad && ip addr del fd00:1::1/64 dev net0",
        )
        .root(
            "ip addr add fd00:1::2/64 dev eth0 nodad
             ip -6 route replace default via fd00:1::1 dev eth0
             ip addr del 2001:db8:1::2/64 dev eth0",
            "ip addr add 2001:db8:1::2/64 dev eth0 nodad
             ip -6 route replace default via 2001:db8:1::1 dev eth0
             ip addr del fd00:1::2/64 dev eth0",
        )
}
