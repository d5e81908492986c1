# Starting and ending a lab: cgroup, netns, the two machines.
# shellcheck shell=bash disable=SC2154  # lab_dir, self: set in lab

# bring_up NAME SUITE BASE: a clean lab, ready for use, or nothing at all. What a killed `up` has left
# under that name goes first.
bring_up() {
    local name=$1
    claim_slot "$name"
    # shellcheck disable=SC2064  # this name, now
    trap "bring_down $name; release_slot $name" EXIT
    bring_down "$name"
    start_lab "$@"
    await_ready "$name" dockerd || exit 1
    trap - EXIT
}

# start_lab NAME SUITE BASE: starts both machines, waits for nothing.
start_lab() {
    local name=$1 suite=$2 base=$3 directory
    directory=$(run "$name")
    mkdir -p "$directory"/{upper,work,root,far/upper,far/work,far/root}
    echo "$suite" >"$directory/suite"
    echo "$base" >"$directory/base"
    tr -d - </proc/sys/kernel/random/uuid >"$directory/machine-id"
    # A plain directory: dockerd keeps its own overlays in /home, and overlayfs takes no other as upper layer.
    cp -a "$base/home" "$directory/home"
    join_networks "$name"
    start_machine "$name" far
    start_machine "$name" host
}

start_host() {
    [[ -e /run/netns/rootless6-$1 ]] ||
        fail "\`$1\` has no network any more: was this machine booted since?" "lab up $(<"$(run "$1")/suite") $1"
    start_machine "$1" host
}

# Ends and removes whatever there is under that name, in whatever state. The caller holds its slot.
bring_down() {
    local name=$1 cgroup
    if is_alive "$(run "$name")/host.pid"; then kill -KILL "$(init_pid "$name" host)" 2>/dev/null || true; fi
    if is_alive "$(run "$name")/far.pid"; then kill -KILL "$(init_pid "$name" far)" 2>/dev/null || true; fi
    cgroup=$(cgroup_root)/rootless6-$name
    if [[ -d $cgroup ]]; then end_cgroup "$cgroup"; fi
    part_networks "$name"
    rm -rf --one-file-system "$(run "$name")"
}

# As a shutdown does it; what does not end within the deadline is killed.
stop_host() {
    local name=$1 pid began=$EPOCHREALTIME cgroup
    rm -f "$(run "$name")/ready"
    cgroup=$(cgroup_root)/rootless6-$name/host
    if is_running "$name"; then
        pid=$(init_pid "$name" host)
        kill -s RTMIN+4 "$pid" # systemd(1): poweroff.target
        while is_running "$name" && before "$STOP_DEADLINE_SECONDS" "$began"; do sleep 0.05; done
        is_running "$name" && say "$name did not stop within $STOP_DEADLINE_SECONDS s: killed" && kill -KILL "$pid"
    fi
    if [[ -d $cgroup ]]; then end_cgroup "$cgroup"; fi
}

# --- slots and networks: the machine's own ----------------------------------------------------------

claim_slot() {
    mkdir -p "$LOCKS"
    ln -sn "$lab_dir" "$LOCKS/slot.$1" 2>/dev/null || [[ $(readlink "$LOCKS/slot.$1") == "$lab_dir" ]] ||
        fail "\`$1\` belongs to $(readlink "$LOCKS/slot.$1")" "ROOTLESS6_LAB_DIR=$(readlink "$LOCKS/slot.$1") lab down $1"
}

release_slot() { rm -f "$LOCKS/slot.$1"; }

# One at a time: two first `ip netns add` at once would both mount /run/netns.
join_networks() { with_netns_lock join_networks_locked "$1"; }
part_networks() { with_netns_lock part_networks_locked "$1"; }

join_networks_locked() {
    local host=rootless6-$1 far=rootless6-$1-net
    mountpoint -q /run/netns || touch "$LOCKS/netns-mount-is-ours"
    ip netns add "$host"
    ip netns add "$far"
    ip -n "$host" link add eth0 type veth peer name net0 netns "$far"
    ip -n "$far" -batch - <<FAR
link set lo up
link set net0 up
addr add 2001:db8:1::1/64 dev net0 nodad
addr add 192.0.2.129/25 dev net0
addr add $TARGET6/128 dev lo nodad
addr add $TARGET4/32 dev lo
addr add $NO_AAAA6/128 dev lo nodad
addr add $NO_AAAA4/32 dev lo
FAR
    ip -n "$host" -batch - <<HOST
link set lo up
link set eth0 up
addr add 2001:db8:1::2/64 dev eth0 nodad
addr add 192.0.2.130/25 dev eth0
route add default via 2001:db8:1::1 dev eth0
route add default via 192.0.2.129 dev eth0
HOST
    # Who may open an ICMP datagram socket, which is how pasta forwards echoes; the kernel's default is nobody.
    nsenter --net="/run/netns/$host" sh -c 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range'
}

part_networks_locked() {
    local netns
    for netns in "rootless6-$1" "rootless6-$1-net"; do
        [[ ! -e /run/netns/$netns ]] || ip netns del "$netns"
    done
    # `ip netns` makes /run/netns a mount of its own and never takes it away.
    if [[ -e $LOCKS/netns-mount-is-ours && -z $(ls -A /run/netns) ]]; then
        rm -f "$LOCKS/netns-mount-is-ours"
        if mountpoint -q /run/netns; then umount /run/netns; fi
        rmdir /run/netns
    fi
}

# --- one machine ------------------------------------------------------------------------------------

# start_machine NAME host|far. The cgroup comes before the cgroup namespace: without it two labs would share
# one docker.service cgroup, and stopping either would wait for the other's processes.
start_machine() {
    local name=$1 kind=$2 directory cgroup netns=rootless6-$1
    directory=$(run "$name")
    cgroup=$(cgroup_root)/rootless6-$name/$kind
    [[ $kind == host ]] || netns+=-net
    rm -f "$directory/$kind.pid"
    mkdir -p "$cgroup"
    (
        echo "$BASHPID" >"$cgroup/cgroup.procs"
        cd /
        exec setsid nsenter --net="/run/netns/$netns" \
            unshare --mount --pid --uts --ipc --cgroup --fork --kill-child "$self" __boot "$directory" "$kind" \
            </dev/null >>"$directory/$kind.log" 2>&1 7>&- 8>&- 9>&-
    ) &
    disown
    local began=$EPOCHREALTIME
    until is_alive "$directory/$kind.pid"; do
        before 5 "$began" || { cat "$directory/$kind.log" >&2 && fail "the $kind machine of $name did not start"; }
        sleep 0.02
    done
}

# pid 1 of the new namespaces, until it becomes the machine's own init. /proc is still the machine's here.
internal_boot() {
    local directory=$1 kind=$2 root=$1/root base pid name=${1##*/} layers=$1
    base=$(<"$directory/base")
    read -r pid _ </proc/self/stat
    [[ $kind == host ]] || layers=$directory/far
    root=$layers/root
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$layers/upper,workdir=$layers/work" "$root"
    hostname "$name$([[ $kind == host ]] || echo -net)"
    echo "$name" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 %s\n' "$name" >"$root/etc/hosts"
    cp "$directory/machine-id" "$root/etc/machine-id"
    mount --bind "$directory/home" "$root/home"
    mount_kernel_file_systems "$root"
    make_devices "$root/dev"
    echo "$pid $(start_time "$pid")" >"$directory/$kind.pid.new"
    mv "$directory/$kind.pid.new" "$directory/$kind.pid"
    cd "$root" || exit 1
    pivot_root . mnt
    umount -l /mnt
    # As systemd has it on a machine; in a container it leaves that to whoever made the container.
    mount --make-rshared /
    if [[ $kind == far ]]; then
        write_far_side
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /opt/lab/internet
    fi
    exec env -i container=rootless6-lab /lib/systemd/systemd --show-status=no
}

# What runs as pid 1 of the far side, and the names it serves: both.test is the target, which has this name
# back, and so is any *.example; v6.test and v4.test are it in one family only; every other name does not
# exist. The second server knows no IPv6 address of both.test. Neither has anybody to ask.
write_far_side() {
    mkdir -p /opt/lab/www
    echo "hello from the far side" >/opt/lab/www/index.html
    cat >/opt/lab/dnsmasq.conf <<CONF
no-resolv
no-hosts
no-poll
cache-size=0
user=root
pid-file=
bind-interfaces
log-queries
address=/example/$TARGET6
address=/example/$TARGET4
address=/v6.test/$TARGET6
txt-record=v6.test,"without it, v6.test would not exist for who asks for an IPv4 address"
address=/v4.test/$TARGET4
txt-record=v4.test,"the same the other way round"
address=/#/
CONF
    cat >/opt/lab/internet <<INIT
#!/bin/bash
# pid 1 of the far side: starts the servers, then reaps. They can be ended and started again by a test.
dnsmasq --conf-file=/opt/lab/dnsmasq.conf --log-facility=/var/log/dnsmasq.log \\
    --listen-address=$TARGET6,$TARGET4 --host-record=both.test,$TARGET6,$TARGET4
dnsmasq --conf-file=/opt/lab/dnsmasq.conf --log-facility=/var/log/dnsmasq-without-aaaa.log \\
    --listen-address=$NO_AAAA6,$NO_AAAA4 --host-record=both.test,$TARGET4 \\
    --ptr-record=$TARGET6_REVERSE,both.test
busybox httpd -p 80 -h /opt/lab/www
while true; do
    sleep infinity &
    wait
done
INIT
    chmod 755 /opt/lab/internet
}

# All of proc and sysfs visible and writable: the kernel lets a user namespace mount its own only then.
mount_kernel_file_systems() {
    local root=$1
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
    mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
    mount -t tmpfs -o nosuid,nodev tmpfs "$root/tmp"
    mkdir "$root"/dev/{pts,shm,net}
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
}

# Nodes of its own, not the machine's bound in: a chmod in the lab (a fault worth testing) stays in the lab.
make_devices() {
    local dev=$1 node
    umask 0
    for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "fuse 10 229" "net/tun 10 200"; do
        # shellcheck disable=SC2086  # three words
        set -- $node
        mknod -m 666 "$dev/$1" c "$2" "$3"
    done
    umask 022
    ln -s pts/ptmx "$dev/ptmx"
    ln -s /proc/self/fd "$dev/fd"
    ln -s /proc/self/fd/0 "$dev/stdin"
    ln -s /proc/self/fd/1 "$dev/stdout"
    ln -s /proc/self/fd/2 "$dev/stderr"
}

# --- processes, by pid and start time; cgroups ------------------------------------------------------

# Field 22 of /proc/PID/stat; the second field, a name in brackets, may hold blanks.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086  # words
    set -- ${stat##*) }
    echo "${20}"
}

init_pid() {
    local pid
    read -r pid _ <"$(run "$1")/$2.pid"
    echo "$pid"
}

is_alive() {
    local pid start state
    [[ -s $1 ]] && read -r pid start <"$1" || return 1
    state=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    state=${state##*) }
    [[ ${state:0:1} != Z && $(start_time "$pid") == "$start" ]]
}

is_running() { is_alive "$(run "$1")/host.pid"; }

# Kills everything in a cgroup of ours and removes it.
end_cgroup() {
    local cgroup=$1 began=$EPOCHREALTIME file pid
    while grep -q '^populated 1' "$cgroup/cgroup.events" 2>/dev/null; do
        if [[ -w $cgroup/cgroup.kill ]]; then
            echo 1 >"$cgroup/cgroup.kill"
        else # before Linux 5.14
            while read -r file; do
                while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <"$file"
            done < <(find "$cgroup" -name cgroup.procs)
        fi
        before 10 "$began" || fail "processes in $cgroup do not end"
        sleep 0.02
    done
    find "$cgroup" -depth -type d -exec rmdir {} +
}

# --- readiness --------------------------------------------------------------------------------------

# await_ready NAME manager|dockerd: until alice's user manager, or her dockerd as well, answers.
await_ready() {
    local name=$1 wait_for=$2 began=$EPOCHREALTIME problem
    while true; do
        problem=$(not_ready "$name" "$wait_for" "$began")
        [[ -n $problem ]] || break
        is_running "$name" || problem="its pid 1 has ended"
        if [[ $problem == *" ended" || $problem == *" failed" ]] || ! before "$BOOT_DEADLINE_SECONDS" "$began"; then
            show_journal "$name"
            printf 'error: %s did not come up in %s s: %s\n' "$name" "$(seconds_since "$began")" "$problem" >&2
            return 1
        fi
        sleep 0.05
    done
    touch "$(run "$name")/ready"
}

# not_ready NAME WAIT_FOR BEGAN: prints what is still missing. Sockets are looked at first: that costs no
# process in the booting system. A unit that fails for good never makes one, so it is asked in the end.
not_ready() {
    local name=$1 wait_for=$2 began=$3 runtime unit
    runtime=/proc/$(init_pid "$name" host)/root/run/user/1000
    if [[ ! -S $runtime/systemd/private || ! -S $runtime/bus ]]; then
        echo "no user manager"
    elif [[ $wait_for == manager ]]; then
        ask "$name" systemctl --user show-environment >/dev/null || echo "the user manager does not answer"
    elif [[ ! -S $runtime/docker.sock ]] && before 5 "$began"; then
        echo "dockerd has no socket"
    else
        unit=$(ask "$name" systemctl --user is-active docker.service) || true
        if [[ $unit != active ]]; then
            echo "docker.service is ${unit:-unknown}"
        else
            ask "$name" docker version >/dev/null || echo "dockerd does not answer"
        fi
    fi
}

ask() { enter "$1" host alice timeout 10 "${@:2}" </dev/null 2>/dev/null; }

show_journal() {
    local name=$1
    if is_running "$name"; then
        enter "$name" host root journalctl --no-pager --quiet -n 40 </dev/null >&2 || true
    fi
    tail -n 20 "$(run "$name")"/{host,far}.log >&2 || true
}
