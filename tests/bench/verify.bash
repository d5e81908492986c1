# What verify and ping cost in the lab, read by bash in there, as alice: prints lines of WHAT MICROSECONDS.
# shellcheck shell=bash
set -euo pipefail

readonly DEAD=2001:db8:53::dead
# `ping -c5` takes four seconds.
readonly SLOW_ROUNDS=3

main() {
    local rounds=$1 round
    docker import /opt/lab/busybox.tar busybox >/dev/null
    rootless6 setup --yes --no-verify --accept containers-restart </dev/null >/dev/null 2>&1
    # Those that do not count: now the image is there, and all files are in memory.
    verify >/dev/null
    docker_run
    for ((round = 0; round < rounds; round++)); do
        if ((round % 2)); then
            timed verify verify
            timed run docker_run
        else
            timed run docker_run
            timed verify verify
        fi
        timed dead decided_failure
        timed five quiet rootless6 ping -c5 "$ROOTLESS6_TARGETS"
    done
    for ((round = 0; round < SLOW_ROUNDS; round++)); do
        timed iputils quiet ping -c5 "$ROOTLESS6_TARGETS"
    done
    rootless6 undo --yes </dev/null >/dev/null 2>&1
}

verify() { quiet rootless6 verify; }
docker_run() { quiet docker run --rm busybox true; }

decided_failure() {
    local status=0
    quiet rootless6 verify --target "$DEAD" || status=$?
    [[ $status -eq 1 ]]
}

quiet() { "$@" </dev/null >/dev/null 2>&1; }

# timed WHAT COMMAND...
timed() {
    local began=$EPOCHREALTIME ended
    "${@:2}" || { echo "error: \`${*:2}\` failed" >&2 && exit 1; }
    ended=$EPOCHREALTIME
    printf '%s %d\n' "$1" $((${ended//[.,]/} - ${began//[.,]/}))
}

main "$@"
