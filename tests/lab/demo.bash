# The demonstration: on a clean system, what fails before rootless6, what works after it, and undo.
# shellcheck shell=bash disable=SC2154  # lab_dir, self, here: set in lab

command_demo() {
    [[ $# -le 1 ]] || fail_usage "demo [SUITE]"
    local suite=${1:-trixie} name=demo-$$ program
    local image=(docker run --rm busybox) ping=(ping6 -c2 -W3 "$TARGET6")
    require_suite "$suite"
    program=$(demo_program)
    # shellcheck disable=SC2064  # this name, now
    trap "'$self' down $name 2>/dev/null || true" EXIT
    "$self" up "$suite" "$name"
    "$self" push "$name" "$program" /home/alice/.local/bin/rootless6 755

    show "an image that holds only busybox" docker import /opt/lab/busybox.tar busybox
    show_failing "IPv6 from a container, before" "${image[@]}" "${ping[@]}"
    show "the one command" rootless6 setup --yes --accept containers-restart
    show "IPv6 from a container on docker0" "${image[@]}" "${ping[@]}"
    show "a new user network" docker network create --ipv6 demo6
    show "IPv6 from a container on it" "${image[@]:0:3}" --network demo6 busybox "${ping[@]}"
    show "the same, checked by rootless6" rootless6 verify
    show "the network taken away again" docker network rm demo6
    show "everything put back" rootless6 undo --yes
    "$self" down "$name"
    trap - EXIT
    say "the demonstration went as it should, and nothing of it is left"
}

demo_program() {
    if [[ -n ${ROOTLESS6_BIN:-} ]]; then
        [[ -x $ROOTLESS6_BIN ]] || refuse "ROOTLESS6_BIN=$ROOTLESS6_BIN is no program"
        readlink -f "$ROOTLESS6_BIN"
        return 0
    fi
    local repository target
    repository=$(readlink -f "$here/../..")
    command -v cargo >/dev/null || refuse "no cargo to build rootless6 with" "ROOTLESS6_BIN=/path/to/rootless6 $0 demo"
    (cd "$repository" && cargo build --release --quiet) >&2 || fail "rootless6 does not build" "cargo build --release"
    target=${CARGO_TARGET_DIR:-$repository/target}
    echo "$target/release/rootless6"
}

# show TITLE COMMAND...: runs it as alice, which must succeed.
show() {
    local status=0
    show_running "$@" || status=$?
    [[ $status -eq 0 ]] || fail "the demonstration ends here: exit status $status of \`${*:2}\`"
}

show_failing() {
    if show_running "$@"; then fail "the demonstration ends here: \`${*:2}\` should have failed on a clean system"; fi
}

show_running() {
    printf '\n# %s\n$ %s\n' "$1" "${*:2}"
    "$self" sh "$name" "${@:2}" </dev/null 2>&1
}
