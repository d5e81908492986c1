# Running commands inside a lab.
# shellcheck shell=bash disable=SC2154  # lab_dir: set in lab

command_sh() { enter_command host alice "$@"; }
command_root() { enter_command host root "$@"; }
command_internet() { enter_command far root "$@"; }

command_push() {
    [[ $# -ge 3 && $# -le 4 ]] || fail_usage "push NAME FILE DEST [MODE]"
    local name=$1 file=$2 destination=$3 mode=${4:-}
    require_known "$name"
    is_running "$name" || fail "\`$name\` is not running" "lab reboot $name"
    [[ -f $file ]] || fail "$file is no file"
    [[ $destination == /* ]] || fail_usage "push NAME FILE /ABSOLUTE/DEST [MODE]"
    [[ -n $mode ]] || mode=$(stat -c %a "$file")
    # As root, so that any folder will do; folders that are missing become alice's, and the file appears whole.
    # shellcheck disable=SC2016  # expanded inside
    enter "$name" host root sh -euc '
        folder=$(dirname "$1")
        new=$folder
        while [ ! -d "$new" ]; do top=$new; new=$(dirname "$new"); done
        mkdir -p "$folder"
        [ -z "${top:-}" ] || chown -R alice:alice "$top"
        cat >"$1.lab-push"
        chown alice:alice "$1.lab-push"
        chmod "$2" "$1.lab-push"
        mv -f "$1.lab-push" "$1"' push "$destination" "$mode" <"$file"
}

# enter_command MACHINE USER [NAME] [COMMAND...]
enter_command() {
    local machine=$1 user=$2 name
    shift 2
    if [[ $# -gt 0 && -d $(run "$1") && $1 =~ ^[a-z0-9-]+$ ]]; then
        name=$1
        shift
    else
        name=$(the_only_one_running)
    fi
    is_running "$name" || fail "\`$name\` is not running" "lab reboot $name"
    if [[ $# -eq 0 ]]; then
        set -- bash
    elif [[ $# -eq 1 && $1 == *[[:space:]]* ]]; then
        set -- bash -c "$1"
    fi
    if [[ -t 0 && -t 1 ]]; then
        # The caller's terminal belongs to a session outside the pid namespace: no job control, no /dev/pts
        # name. script(1) gives one of the lab's own and passes keys, Ctrl-C and window size on.
        set -- script --quiet --return --command "exec ${*@Q}" /dev/null
    fi
    enter_exec "$name" "$machine" "$user" "$@"
}

the_only_one_running() {
    local running
    mapfile -t running < <(running_names)
    [[ ${#running[@]} -eq 1 ]] || refuse "which lab? ${#running[@]} are running" "lab list"
    echo "${running[0]}"
}

running_names() {
    local name
    for name in $(known_names); do
        if is_running "$name"; then echo "$name"; fi
    done
}

enter() { (enter_exec "$@"); }

# enter_exec NAME MACHINE USER COMMAND...: becomes the command, in all namespaces of the machine's pid 1 and
# in a cgroup of the lab, so that `down` reaches it. If nsenter is killed, the command is killed with it.
enter_exec() {
    local name=$1 machine=$2 user=$3 pid cgroup environment=() variable uid=0 home=/root
    shift 3
    [[ $user != alice ]] || { uid=1000 && home=/home/alice; }
    environment=(
        "HOME=$home" "USER=$user" "LOGNAME=$user" SHELL=/bin/bash "TERM=${TERM:-dumb}" LANG=C.UTF-8
        "PATH=$home/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin" "ROOTLESS6_TARGETS=$TARGET6"
    )
    [[ $user != alice ]] ||
        environment+=(XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus)
    for variable in ${ROOTLESS6_LAB_ENV:-}; do
        [[ ! -v $variable ]] || environment+=("$variable=${!variable}")
    done
    pid=$(init_pid "$name" "$machine")
    cgroup=$(cgroup_root)/rootless6-$name/$machine/lab.scope
    mkdir -p "$cgroup"
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec nsenter --target "$pid" --all \
        setpriv --reuid="$uid" --regid="$uid" --init-groups --pdeathsig=KILL \
        env --ignore-environment --chdir="$home" "${environment[@]}" "$@" 7>&- 8>&- 9>&-
}
