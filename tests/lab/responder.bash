# A router on the far side that treats packets badly, each destination in its own way.
# shellcheck shell=bash disable=SC2154  # here: set in lab

# Packets for its prefix go through its TUN device before they are the far side's own: the rule for what
# comes in by the wire stands before the look-up of local addresses. What the router lets pass comes back
# by the TUN device and finds the local route. Once it has ended, they all pass.
command_responder() {
    [[ $# -le 2 ]] || fail_usage "responder [NAME] [PROGRAM]"
    local name=${1:-} program
    if [[ -z $name ]]; then name=$(the_only_one_running); fi
    require_known "$name"
    is_running "$name" || fail "\`$name\` is not running" "lab reboot $name"
    program=${2:-$(built_responder)}
    [[ -x $program ]] || refuse "$program is no program"
    enter "$name" far root sh -euc 'cat >/run/responder.new; chmod 755 /run/responder.new; mv -f /run/responder.new /run/responder' <"$program"
    enter "$name" far root bash -euc '
        if ip link show faulty0 >/dev/null 2>&1; then exit; fi
        setsid /run/responder </dev/null >/run/responder.log 2>&1 &
        for i in {1..100}; do ! ip link show up 2>&1 | grep -q faulty0 || break; sleep 0.05; done
        ip link show faulty0 >/dev/null || { cat /run/responder.log >&2; exit 1; }
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip -6 route replace local 2001:db8:aa::/48 dev lo
        ip -6 route replace 2001:db8:aa::/48 dev faulty0 table 66
        if ip -6 rule show | grep -q "^0:"; then
            ip -6 rule add pref 20 lookup local
            ip -6 rule add pref 10 iif net0 lookup 66
            ip -6 rule del pref 0
        fi' </dev/null
    enter "$name" far root /run/responder --list </dev/null
}

built_responder() {
    local repository
    repository=$(readlink -f "$here/../..")
    command -v cargo >/dev/null || refuse "no cargo to build the responder with" "$0 responder NAME PROGRAM"
    (cd "$repository" && cargo build --quiet --example responder) >&2 || fail "the responder does not build"
    echo "${CARGO_TARGET_DIR:-$repository/target}/debug/examples/responder"
}
