# What doctor costs in the lab, read by bash in there, as alice: prints lines of WHAT MICROSECONDS.
# shellcheck shell=bash
set -euo pipefail

readonly PER_ROUND=4

main() {
    local rounds=$1 round
    quiet rootless6 setup --yes --no-verify --accept containers-restart
    # Those that do not count: now all files are in memory, and all versions known.
    check
    doctor
    for ((round = 0; round < rounds * PER_ROUND; round++)); do
        if ((round % 2)); then
            timed doctor doctor
            timed check check
        else
            timed check check
            timed doctor doctor
        fi
    done
}

doctor() { quiet rootless6 doctor; }
check() { quiet dockerd-rootless-setuptool.sh check --skip-iptables; }

quiet() { "$@" </dev/null >/dev/null 2>&1; }

# timed WHAT COMMAND...
timed() {
    local began=$EPOCHREALTIME ended
    "${@:2}" || { echo "error: \`${*:2}\` failed" >&2 && exit 1; }
    ended=$EPOCHREALTIME
    printf '%s %d\n' "$1" $((${ended//[.,]/} - ${began//[.,]/}))
}

main "$@"
