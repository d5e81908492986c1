#!/bin/sh
# Installs rootless6 from this checkout for the user who runs it: no root, no start-up file edited.
# What will be placed is written to share/rootless6/installed first; --uninstall removes exactly that.
set -eu

usage() {
    cat <<'USAGE'
usage: ./install.sh [--binary FILE] [--prefix DIR]
       ./install.sh --uninstall [--prefix DIR] [--force]

  --binary FILE  install this ready-made program instead of building one with cargo
  --prefix DIR   install below DIR (bin, share) instead of ~/.local; the only way as root
  --uninstall    remove what was installed, and the directories that were made for it
  --force        uninstall although dockerd still has the settings that rootless6 gave it
  -h, --help     print this

Installed are the program in ~/.local/bin, its manual page, and completions for bash, zsh and
fish where these shells look for a user's own (XDG_DATA_HOME, XDG_CONFIG_HOME).
USAGE
}

main() {
    action=install binary='' prefix='' force=no scratch='' partial='' why=''
    while [ $# -gt 0 ]; do
        case $1 in
        --binary | --prefix)
            [ -n "${2:-}" ] || refuse "\`$1\` wants a value" "see \`./install.sh --help\`"
            if [ "$1" = --binary ]; then binary=$2; else prefix=$2; fi
            shift
            ;;
        --binary=?*) binary=${1#*=} ;;
        --prefix=?*) prefix=${1#*=} ;;
        --uninstall) action=uninstall ;;
        --force) force=yes ;;
        -h | --help)
            usage
            return
            ;;
        *) refuse "\`$1\` is no option of install.sh" "see \`./install.sh --help\`" ;;
        esac
        shift
    done
    if [ "$(id -u)" -eq 0 ] && [ -z "$prefix" ]; then
        refuse "rootless6 belongs to the user who runs rootless Docker, and this is root" \
            "run \`./install.sh\` as that user" "\`./install.sh --prefix /usr/local\` installs it for everybody"
    fi
    trap tidy_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    choose_places
    "$action"
}

# --- where things go ---------------------------------------------------------------------------------

choose_places() {
    if [ -n "$prefix" ]; then
        prefix=$(absolute "$prefix")
        programs=$prefix/bin
        data=$prefix/share
        fish=$data/fish/vendor_completions.d
    else
        programs=$(home)/.local/bin
        data=$(xdg "${XDG_DATA_HOME:-}" .local/share)
        fish=$(xdg "${XDG_CONFIG_HOME:-}" .config)/fish/completions
    fi
    program=$programs/rootless6
    page=$data/man/man1/rootless6.1
    bash=$data/bash-completion/completions/rootless6
    zsh=$data/zsh/site-functions/_rootless6
    fish=$fish/rootless6.fish
    list=$data/rootless6/installed
}

home() {
    case ${HOME:-} in
    /*) printf '%s\n' "${HOME%/}" ;;
    *) refuse "HOME is not set to an absolute path" "\`export HOME=…\`" ;;
    esac
}

# The XDG base directory specification: a relative path in one of its variables counts as unset.
xdg() {
    case $1 in
    /*) printf '%s\n' "${1%/}" ;;
    *) printf '%s/%s\n' "$(home)" "$2" ;;
    esac
}

absolute() {
    case $1 in
    /*) printf '%s\n' "${1%/}" ;;
    *) printf '%s/%s\n' "$PWD" "${1%/}" ;;
    esac
}

# --- install -----------------------------------------------------------------------------------------

# Everything is made and tried before the first file is placed.
install() {
    scratch=$(mktemp -d) || fail "cannot make a temporary directory"
    if [ -n "$binary" ]; then
        binary=$(absolute "$binary")
        [ -f "$binary" ] || fail "there is no file $binary"
    else
        build
    fi
    version=$("$binary" --version 2>&1) || {
        why=$version
        fail "$binary does not run on this machine"
    }
    version=$(printf '%s\n' "$version" | sed 1q)
    case $version in
    'rootless6 '*) ;;
    *) fail "$binary is not rootless6: its \`--version\` says \`$version\`" ;;
    esac
    generate man man
    for shell in bash zsh fish; do generate "$shell" completions "$shell"; done

    for file in "$program" "$page" "$bash" "$zsh" "$fish" "$list"; do
        if [ -d "$file" ]; then fail "$file is a directory"; fi
    done
    write_list "$list" "$program" "$page" "$bash" "$zsh" "$fish"
    place "$scratch/list" 644 "$list"
    place "$scratch/man" 644 "$page"
    place "$scratch/bash" 644 "$bash"
    place "$scratch/zsh" 644 "$zsh"
    place "$scratch/fish" 644 "$fish"
    place "$binary" 755 "$program"
    conclude
}

# Sets `binary`.
build() {
    checkout=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
    if [ ! -f "$checkout/Cargo.toml" ]; then
        fail "there is no Cargo.toml beside install.sh to build from" \
            "\`./install.sh --binary FILE\` installs a ready-made program"
    fi
    require_rust "$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$checkout/Cargo.toml")"
    say "building rootless6, which takes some minutes the first time"
    # The messages say where the program is, whatever target and target directory are configured.
    (cd "$checkout" && cargo build --release --locked --message-format=json-render-diagnostics) >"$scratch/messages" || {
        if command -v cc >/dev/null; then fail "rootless6 does not build"; fi
        fail "rootless6 does not build, and there is no \`cc\` to link programs with" \
            "install a C compiler: your distribution's package is called \`gcc\` or \`build-essential\`"
    }
    binary=$(sed -n 's/.*"executable":"\([^"]*\/rootless6\)".*/\1/p' "$scratch/messages")
    [ -n "$binary" ] || fail "cargo does not say where it has put rootless6"
}

# require_rust MINIMUM
require_rust() {
    # Where rustup puts it; PATH has that only after the next login.
    if ! command -v cargo >/dev/null; then PATH=$PATH:${CARGO_HOME:-$(home)/.cargo}/bin; fi
    if ! command -v cargo >/dev/null; then
        fail "there is no \`cargo\` to build rootless6 with" \
            "https://rustup.rs installs a Rust toolchain for one user, without root" \
            "your distribution's package \`cargo\` will do if it is Rust $1 or newer" \
            "\`./install.sh --binary FILE\` installs a ready-made program"
    fi
    found=$(cargo --version) || fail "\`cargo --version\` fails"
    found=${found#cargo }
    found=${found%%[ -]*}
    if ! at_least "$found" "$1"; then
        fail "rootless6 needs Rust $1, and \`cargo\` here is $found" \
            "\`rustup update\`, or https://rustup.rs if the toolchain is your distribution's" \
            "\`./install.sh --binary FILE\` installs a ready-made program"
    fi
}

# at_least FOUND WANTED: both MAJOR.MINOR, more is ignored.
at_least() {
    found_minor=${1#*.} wanted_minor=${2#*.}
    [ "${1%%.*}" -gt "${2%%.*}" ] ||
        { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${found_minor%%.*}" -ge "${wanted_minor%%.*}" ]; }
}

# generate NAME ARGUMENT...: what the program prints becomes $scratch/NAME.
generate() {
    name=$1
    shift
    "$binary" "$@" >"$scratch/$name" || fail "\`$binary $*\` failed"
}

# write_list FILE...: these files and each directory that has yet to be made for them, after what an
# earlier installation has put there.
write_list() {
    {
        if [ -f "$list" ]; then cat "$list"; fi
        for file in "$@"; do
            printf '%s\n' "$file"
            directory=${file%/*}
            while [ -n "$directory" ] && [ ! -d "$directory" ]; do
                printf '%s/\n' "$directory"
                directory=${directory%/*}
            done
        done
    } | LC_ALL=C sort -u >"$scratch/list"
}

# place FILE MODE DESTINATION: by renaming, since the program may be running and a shell may be reading.
place() {
    why=$(mkdir -p "${3%/*}" 2>&1) || fail "cannot make ${3%/*}"
    why=$(mktemp "${3%/*}/.rootless6.XXXXXX" 2>&1) || fail "cannot write in ${3%/*}"
    partial=$why
    why=$({ cp "$1" "$partial" && chmod "$2" "$partial" && mv -f "$partial" "$3"; } 2>&1) || fail "cannot write $3"
    partial=''
    say "installed $3"
}

# The verdict, and what the user's shell still lacks.
conclude() {
    case ${SHELL:-} in
    */zsh) [ -n "$prefix" ] || hint "zsh completes it once ~/.zshrc has \`fpath+=(${zsh%/*})\` before \`compinit\`" ;;
    esac
    first=$(command -v rootless6 || true)
    if [ "$first" = "$program" ]; then
        printf '%s is installed\n' "$version"
        hint "\`rootless6 status\` looks, \`rootless6 setup\` begins"
    elif [ -n "$first" ]; then
        printf "%s is installed, but \`rootless6\` means %s\n" "$version" "$first"
        hint "$(path_command) puts $program first"
    else
        printf '%s is installed, but %s is not on PATH\n' "$version" "$programs"
        if [ -n "$prefix" ]; then
            hint "$(path_command) in this shell"
        else
            hint "$(path_command) in this shell; most distributions add ~/.local/bin at the next login"
        fi
    fi
}

path_command() {
    case ${SHELL:-} in
    */fish) printf "\`fish_add_path '%s'\`" "$programs" ;;
    *) printf "\`export PATH=\"%s:\$PATH\"\`" "$programs" ;;
    esac
}

# --- uninstall ---------------------------------------------------------------------------------------

uninstall() {
    if [ ! -f "$list" ]; then
        if [ -e "$program" ]; then
            fail "$program was not installed by install.sh" "\`rm '$program'\` removes it"
        fi
        echo "nothing to remove: rootless6 is not installed in $programs"
        return
    fi
    [ "$force" = yes ] || refuse_while_in_use
    scratch=$(mktemp -d) || fail "cannot make a temporary directory"
    LC_ALL=C sort -r "$list" >"$scratch/list" # what is in a directory comes before the directory
    while IFS= read -r path; do
        case $path in
        "$list") ;;
        */) ;;
        *) remove "$path" ;;
        esac
    done <"$scratch/list"
    remove "$list" # last, so that whatever stops this script can be followed by another try
    while IFS= read -r path; do
        # A directory that somebody else uses by now is not empty, and stays.
        case $path in */) rmdir "$path" 2>/dev/null || true ;; esac
    done <"$scratch/list"
    echo "rootless6 is removed"
}

remove() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    why=$(rm -f "$1" 2>&1) || fail "cannot remove $1"
    say "removed $1"
}

# dockerd would start without the program, but without IPv6 too; and only the program can undo its settings.
refuse_while_in_use() {
    for drop_in in "$(xdg "${XDG_CONFIG_HOME:-}" .config)"/systemd/user/*.d/zz-rootless6.conf; do
        [ -f "$drop_in" ] || continue
        if ! grep -q '^ExecStartPost=' "$drop_in" || grep -qF -e "$program" -e "$(readlink -f "$program")" "$drop_in"; then
            unit=${drop_in%.d/*}
            fail "${unit##*/} still has the settings that rootless6 gave it, in $drop_in" \
                "\`$program undo\` puts the previous settings back" \
                "\`./install.sh --uninstall --force\` removes rootless6 all the same"
        fi
    done
}

# --- words -------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" >&2; }
hint() { printf 'hint: %s\n' "$*" >&2; }

# fail MESSAGE HINT...: what the failed command itself said is in `why`.
fail() {
    complain "$@"
    exit 1
}

# refuse MESSAGE HINT...: what was typed is wrong.
refuse() {
    complain "$@"
    exit 2
}

complain() {
    printf 'error: %s\n' "$1" >&2
    if [ -n "$why" ]; then printf '%s\n' "$why" | sed 's/^/  caused by: /' >&2; fi
    shift
    for line in "$@"; do hint "$line"; done
}

tidy_up() {
    if [ -n "$partial" ]; then rm -f "$partial"; fi
    if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
}

main "$@"
