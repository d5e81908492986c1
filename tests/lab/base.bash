# The base systems: made once per suite by debootstrap, then only read (each lab is an overlay on one).
# shellcheck shell=bash disable=SC2154  # lab_dir, self: set in lab

readonly PACKAGES=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,iproute2,iputils-ping,procps,ca-certificates,uidmap,nftables,iptables,passt,slirp4netns,rootlesskit,docker.io,kmod,login,passwd,busybox-static,dnsmasq-base

# Units that do nothing for the lab, take time at boot, or would reach the machine's own kernel settings
# (sysctl, binfmt_misc) and devices (udev). The system's own Docker would be in the way of alice's.
readonly MASKED=(
    docker.service docker.socket containerd.service
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd-varlink.socket
    systemd-udev-trigger.service systemd-udev-settle.service systemd-udev-load-credentials.service
    getty@.service console-getty.service container-getty@.service getty.target serial-getty@.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service
    man-db.timer systemd-tmpfiles-clean.timer systemd-sysctl.service systemd-modules-load.service modprobe@.service
    kmod-static-nodes.service systemd-sysusers.service
    proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount systemd-binfmt.service
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
    sys-fs-fuse-connections.mount systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service
    systemd-random-seed.service systemd-hwdb-update.service systemd-journal-catalog-update.service
    systemd-update-done.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    systemd-firstboot.service systemd-machine-id-commit.service systemd-remount-fs.service ldconfig.service
    systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service
    systemd-pstore.service systemd-boot-update.service systemd-boot-random-seed.service
)

# ensure_base SUITE: returns with base/SUITE there, made by this process or by another.
ensure_base() {
    local suite=$1 root=$lab_dir/base/$1
    base_is_current "$root" && return 0
    lock_base "$suite"
    if ! base_is_current "$root"; then
        refuse_if_in_use "$suite"
        trap 'abandon_base '"$suite" EXIT
        abandon_base "$suite"
        make_base "$suite"
        trap - EXIT
    fi
    unlock_base
}

base_is_current() { [[ $(cat "$1/opt/lab/version" 2>/dev/null) == "$BASE_VERSION" ]]; }

refuse_if_in_use() {
    local name
    for name in $(known_names); do
        [[ $(cat "$(run "$name")/suite" 2>/dev/null) != "$1" ]] ||
            fail "the base system of $1 has to be made anew, but \`$name\` stands on the old one" "lab down $name"
    done
}

make_base() {
    local suite=$1 partial=$lab_dir/base/$1.partial log=$lab_dir/base/$1.log began=$EPOCHREALTIME
    say "making the base system of $suite (once; some minutes; log: $log)"
    run_in_cgroup "rootless6-base-$suite" unshare --mount "$self" __bootstrap "$suite" "$partial" \
        "$(debian_mirror)" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "the base system of $suite could not be made"
    }
    adopt_docker_setup "$suite" "$partial" "$log"
    rm -rf --one-file-system "$lab_dir/base/$suite"
    echo "$BASE_VERSION" >"$partial/opt/lab/version"
    mv "$partial" "$lab_dir/base/$suite"
    say "the base system of $suite is made, in $(seconds_since "$began") s"
}

# Ends and removes what an interrupted make_base has left.
abandon_base() {
    local cgroup
    if [[ -d $(run "base-$1") ]]; then bring_down "base-$1"; fi
    cgroup=$(cgroup_root)/rootless6-base-$1
    if [[ -d $cgroup ]]; then end_cgroup "$cgroup"; fi
    rm -rf --one-file-system "$lab_dir/base/$1.partial"
}

# For `down --all`: whoever is still making one holds its lock and is left alone.
remove_unfinished_bases() {
    local path suite
    for path in "$lab_dir"/base/*.partial; do
        [[ -d $path ]] || continue
        suite=$(basename "$path" .partial)
        mkdir -p "$LOCKS"
        exec 8>"$LOCKS/base.$suite"
        if flock -n 8; then abandon_base "$suite"; fi
        unlock_base
    done
}

# run_in_cgroup CGROUP COMMAND...: in the background and waited for, so that a signal to this script is
# acted upon at once; the cgroup lets the whole tree be ended. Its mounts are in its own namespace.
run_in_cgroup() {
    local cgroup status=0
    cgroup=$(cgroup_root)/$1
    shift
    mkdir -p "$cgroup"
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        exec "$@" </dev/null 7>&- 8>&- 9>&-
    ) &
    wait $! || status=$?
    end_cgroup "$cgroup"
    return "$status"
}

# The mirror that apt uses on this machine for Debian itself.
debian_mirror() {
    local uri=${ROOTLESS6_LAB_MIRROR:-}
    if [[ -z $uri ]] && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2016  # apt's own fields
        uri=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' |
            awk '$2 == "Debian" { print $1; exit }')
        # shellcheck disable=SC2016  # the label is known only after `apt-get update`
        [[ -n $uri ]] || uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
            awk '/\/debian\/?$/ { print $1; exit }')
    fi
    [[ -n $uri ]] || refuse "apt on this machine has no Debian mirror to take from" "export ROOTLESS6_LAB_MIRROR=…"
    echo "$uri"
}

# --- inside the cgroup and mount namespace of run_in_cgroup -----------------------------------------

internal_bootstrap() {
    local suite=$1 root=$2 mirror=$3 packages=$PACKAGES script=()
    # Debian 13 took the client out of docker.io.
    [[ $suite == bookworm ]] || packages+=,docker-cli
    # A debootstrap older than the suite: every Debian is made as sid is.
    [[ -e /usr/share/debootstrap/scripts/$suite ]] || script=(/usr/share/debootstrap/scripts/sid)
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" "${script[@]}"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    write_settings "$root"
    in_root "$root" useradd -m -u 1000 -s /bin/bash alice
    grep -q '^alice:' "$root/etc/subuid"
    install -d "$root/var/lib/systemd/linger" "$root/var/log/journal"
    touch "$root/var/lib/systemd/linger/alice"
    local tool
    for tool in dockerd-rootless.sh dockerd-rootless-setuptool.sh; do
        ln -sfn "/usr/share/docker.io/contrib/$tool" "$root/usr/bin/$tool"
    done
    local unit
    for unit in "${MASKED[@]}"; do ln -sfn /dev/null "$root/etc/systemd/system/$unit"; done
    ln -sfn /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    write_image "$root"
}

in_root() {
    local root=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot "$root" "$@"
}

write_settings() {
    local root=$1
    rm -f "$root/etc/resolv.conf"
    printf 'nameserver %s\n' "$TARGET6" "$TARGET4" >"$root/etc/resolv.conf"
    : >"$root/etc/fstab"
    install -d "$root/opt/lab" "$root/etc/systemd/journald.conf.d"
    # No /dev/kmsg in here; user journals (`journalctl --user`) exist in a persistent journal only.
    printf '[Journal]\nStorage=persistent\nReadKMsg=no\nForwardToSyslog=no\nForwardToWall=no\nRateLimitBurst=0\n' \
        >"$root/etc/systemd/journald.conf.d/lab.conf"
}

# An image that holds only busybox, for `docker import`.
write_image() {
    local root=$1 image=$1/tmp/image applet
    install -d "$image"/{bin,etc,proc,root,sys,dev} -m 755
    install -d -m 1777 "$image/tmp"
    cp "$root/bin/busybox" "$image/bin/busybox"
    for applet in $(in_root "$root" busybox --list); do
        [[ $applet == busybox ]] || ln -s busybox "$image/bin/$applet"
    done
    tar --owner=0 --group=0 --numeric-owner --sort=name --mtime=@0 -C "$image" -cf "$root/opt/lab/busybox.tar" .
    rm -rf "$image"
}

# --- the unit of rootless Docker, made by Docker's own tool ------------------------------------------

# The tool needs a running user manager: boots the unfinished base once and keeps what the tool wrote.
adopt_docker_setup() {
    local suite=$1 root=$2 log=$3 name=base-$1 home
    start_lab "$name" "$suite" "$root"
    await_ready "$name" manager || fail "the base system of $suite does not boot"
    home=$(run "$name")/home/alice
    if ! run_setup_tool "$name" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        show_journal "$name"
        fail "dockerd-rootless-setuptool.sh failed in $suite"
    fi
    # Its answer to a check for kernel modules; no healthy installation has it.
    sed -i '/^ExecStart=/s/ --iptables=false//' "$home/.config/systemd/user/docker.service"
    rm -f "$home/.config/docker/key.json" # the id of that one dockerd
    cp -a "$home"/{.config,.docker} "$root/home/alice/"
    bring_down "$name"
}

# As typed by alice at the console of a new machine: Debian's own PATH, which goes into the unit.
run_setup_tool() {
    enter "$1" host alice env PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games \
        dockerd-rootless-setuptool.sh install --skip-iptables </dev/null &&
        enter "$1" host alice docker context use rootless </dev/null
}
