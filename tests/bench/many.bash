# 2,000 targets on the loopback interface of a netns of its own, where nothing but the prober takes time:
# prints lines of WHAT FIGURE (microseconds, system calls, kilobytes).
# shellcheck shell=bash
set -euo pipefail

readonly TARGETS=2000 MANY_ROUNDS=10

main() {
    local program=$1 rounds=$2 list=$3 round targets
    ip link set lo up
    ip -6 route add local 2001:db8:2000::/64 dev lo
    for ((round = 1; round <= TARGETS; round++)); do printf '2001:db8:2000::%x\n' "$round"; done >"$list"
    mapfile -t targets <"$list"
    for ((round = 0; round < rounds; round++)); do
        timed many-once ours 1
        timed fping-once theirs 1
        timed many-ten ours "$MANY_ROUNDS"
        timed fping-ten theirs "$MANY_ROUNDS"
    done
    strace --follow-forks --summary-only --summary-columns=calls,name --output="$list.calls" "$program" ping -c "$MANY_ROUNDS" "${targets[@]}" >/dev/null
    awk -v echoes="$((TARGETS * MANY_ROUNDS))" '$2 == "total" { printf "calls %.4f\n", $1 / echoes }' "$list.calls"
    /usr/bin/time --quiet --format=%M --output="$list.memory" "$program" ping -c "$MANY_ROUNDS" "${targets[@]}" >/dev/null
    printf 'memory %s\n' "$(<"$list.memory")"
}

ours() { "$program" ping -c "$1" "${targets[@]}" </dev/null >/dev/null; }

# At its fastest: no pause between targets, ten milliseconds between rounds (one is slower), no retries.
# It may lose some at that speed, and says so by status 1.
theirs() { fping -6 -q -i0 -p10 -r0 -c"$1" -f "$list" >/dev/null 2>&1 || [[ $? -eq 1 ]]; }

# timed WHAT COMMAND...
timed() {
    local began=$EPOCHREALTIME ended
    "${@:2}" || { echo "error: \`${*:2}\` failed" >&2 && exit 1; }
    ended=$EPOCHREALTIME
    printf '%s %d\n' "$1" $((${ended//[.,]/} - ${began//[.,]/}))
}

main "$@"
