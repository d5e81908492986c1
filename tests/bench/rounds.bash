# The timed part of the benchmark, read by bash inside the lab, as alice: prints lines of WHAT MICROSECONDS.
# shellcheck shell=bash
set -euo pipefail

readonly STATUS_PER_ROUND=4
drop_ins=$HOME/.config/systemd/user/docker.service.d

main() {
    local rounds=$1 round
    # One that does not count, so that both find their files in memory.
    recipe_round >/dev/null
    setup_round >/dev/null
    for ((round = 0; round < rounds; round++)); do
        if ((round % 2)); then
            setup_round
            recipe_round
        else
            recipe_round
            setup_round
        fi
    done
    ours setup --yes --no-verify --accept containers-restart
    look docker info >/dev/null
    look rootless6 status >/dev/null
    for ((round = 0; round < rounds * STATUS_PER_ROUND; round++)); do
        if ((round % 2)); then
            timed status look rootless6 status
            timed info look docker info
        else
            timed info look docker info
            timed status look rootless6 status
        fi
    done
    uplink_rounds "$((rounds * STATUS_PER_ROUND))"
    ours undo --yes
}

# As systemd runs it after each start of dockerd; the follower that it leaves behind is ended again.
uplink_rounds() {
    local round main_pid child follower
    main_pid=$(systemctl --user show -P MainPID docker)
    child=$(<"$XDG_RUNTIME_DIR/dockerd-rootless/child_pid")
    look rootless6 --version
    for ((round = 0; round < $1; round++)); do
        ! follower=$(pgrep -f '^rootless6 follow$') || kill "$follower"
        nsenter -U --preserve-credentials -n -t "$child" ip -6 addr flush dev tap0 scope global
        timed version look rootless6 --version
        timed uplink look env MAINPID="$main_pid" rootless6 uplink
        follower=$(pgrep -f '^rootless6 follow$')
        until [[ $(<"/proc/$follower/wchan") == *poll* ]]; do :; done
        awk '$1 == "VmHWM:" { print "follower", $2 }' "/proc/$follower/status"
    done
}

recipe_round() {
    ready
    timed recipe recipe
    rm "$drop_ins/override.conf"
    rmdir "$drop_ins"
    systemctl --user daemon-reload
    systemctl --user reset-failed docker
    systemctl --user restart docker
}

setup_round() {
    ready
    timed setup ours setup --yes --no-verify --accept containers-restart
    systemctl --user reset-failed docker
    ours undo --yes
}

# As it is copied from blog to blog, with the reload that it needs.
recipe() {
    mkdir -p "$drop_ins"
    cat >"$drop_ins/override.conf" <<'DROP_IN'
[Service]
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--ipv6"
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta"
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=implicit"
DROP_IN
    systemctl --user daemon-reload
    systemctl --user restart docker
}

ours() {
    rootless6 "$@" </dev/null >/dev/null 2>"$HOME/bench.err" || {
        cat "$HOME/bench.err" >&2
        return 1
    }
}

look() { "$@" </dev/null >/dev/null 2>&1; }

# The state that every round begins in.
ready() {
    [[ ! -e $drop_ins ]] || rmdir "$drop_ins"
    systemctl --user reset-failed docker
    docker version >/dev/null
}

# timed WHAT COMMAND...
timed() {
    local began=$EPOCHREALTIME ended
    "${@:2}"
    ended=$EPOCHREALTIME
    printf '%s %d\n' "$1" $((${ended//[.,]/} - ${began//[.,]/}))
}

main "$@"
