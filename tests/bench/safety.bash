# What the way back costs, in the lab, read by bash in there, as alice: prints lines of WHAT MICROSECONDS.
# shellcheck shell=bash
set -euo pipefail

readonly BEFORE=$HOME/before/rootless6
readonly UNIT=/org/freedesktop/systemd1/unit/docker_2eservice
drop_ins=$HOME/.config/systemd/user/docker.service.d

main() {
    local rounds=$1 round
    docker import /opt/lab/busybox.tar busybox >/dev/null
    # One of each that does not count, so that all find their files in memory.
    safety_round >/dev/null
    for ((round = 0; round < rounds; round++)); do safety_round "$round"; done
    rehearsal_rounds "$((rounds * 2))"
}

# safety_round [ROUND]: both from the same state, dockerd up and as it was.
safety_round() {
    if ((${1:-0} % 2)); then
        set_up now rootless6
        set_up before "$BEFORE"
    else
        set_up before "$BEFORE"
        set_up now rootless6
    fi
}

# set_up WHAT PROGRAM: dockerd's own stop and start, by systemd's clock, are taken out of the middle.
# Each has a journal of its own: the older one does not read the newer one's.
set_up() {
    local -x XDG_STATE_HOME=$HOME/.local/state/$1
    local began ended stopping up
    [[ ! -e $drop_ins ]] || rmdir "$drop_ins"
    systemctl --user reset-failed docker
    docker version >/dev/null
    began=$EPOCHREALTIME
    succeed "$2" setup --yes --no-verify --rehearse never --accept containers-restart
    ended=$EPOCHREALTIME
    stopping=$(stamp ActiveExitTimestamp)
    up=$(stamp ActiveEnterTimestamp)
    printf '%s-whole %d\n' "$1" "$((${ended//[.,]/} - ${began//[.,]/}))"
    printf '%s-up-to-the-restart %d\n' "$1" "$((stopping - ${began//[.,]/}))"
    printf '%s-after-the-restart %d\n' "$1" "$((${ended//[.,]/} - up))"
    systemctl --user reset-failed docker
    succeed "$2" undo --yes
}

stamp() {
    local microseconds
    read -r _ microseconds < <(busctl --user get-property org.freedesktop.systemd1 "$UNIT" org.freedesktop.systemd1.Unit "$1")
    echo "$microseconds"
}

# A setup that may not stop the container that runs rehearses, asks and ends there: dockerd runs on.
rehearsal_rounds() {
    local round
    docker run --detach --name kept busybox sleep inf >/dev/null
    not_agreed auto
    for ((round = 0; round < $1; round++)); do
        timed rehearsed not_agreed auto
        timed unrehearsed not_agreed never
    done
    docker rm --force kept >/dev/null
}

# not_agreed WHEN
not_agreed() {
    local status=0
    quiet rootless6 setup --yes --rehearse "$1" || status=$?
    [[ $status -eq 2 ]]
}

succeed() {
    quiet "$@" || { cat "$HOME/bench.err" >&2 && echo "error: \`$*\` failed" >&2 && exit 1; }
}

quiet() { "$@" </dev/null >/dev/null 2>"$HOME/bench.err"; }

# timed WHAT COMMAND...
timed() {
    local began=$EPOCHREALTIME ended
    "${@:2}" || { cat "$HOME/bench.err" >&2 && exit 1; }
    ended=$EPOCHREALTIME
    printf '%s %d\n' "$1" $((${ended//[.,]/} - ${began//[.,]/}))
}

main "$@"
