#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The chatd authors
#
# Installs chatd from this checkout and starts it, or takes it away again. See usage() below.
#
# The checkout is only read: everything is built in a copy. What was installed is written down in
# PREFIX/share/chatd/manifest, which is what an upgrade and --uninstall go by.
set -euo pipefail
umask 022

usage() {
    cat <<'TEXT'
usage: sudo ./install.sh [--prefix=DIR] [--port=N]
       sudo ./install.sh --uninstall [--purge] [--prefix=DIR]

Installs what chatd needs to be built (packages of this distribution, by apt or dnf), builds and installs it, and
starts chat.socket. Run again it upgrades, under the people who are connected: they stay. Where systemd does not run
the system, as in most containers, it serves in the foreground until Ctrl-C.

  --prefix=DIR   install below DIR instead of /usr/local
  --port=N       listen on port N instead of 7000
  --uninstall    stop the service and remove all that was installed. The configuration is removed if nobody
                 changed it; what was said in rooms stays in /var/lib/chatd
  --purge        with --uninstall: remove a changed configuration, and what was said, too
  --help         this text
TEXT
}

say() { echo "${0##*/}: $*"; }
fail() {
    printf "${0##*/}: %s\n" "$@" >&2
    exit 1
}

prefix=/usr/local
port=
purge=

readonly config=/etc/chatd.conf
readonly archive=/var/lib/chatd # a link to /var/lib/private/chatd, which StateDirectory= with DynamicUser= makes
readonly port_conf=/etc/systemd/system/chat.socket.d/install-port.conf

systemd_runs() { [[ -d /run/systemd/system ]]; }

## Packages

find_package_manager() {
    if command -v apt-get >/dev/null; then
        manager=apt
        packages=(autoconf automake gcc libc6-dev libinih-dev libsqlite3-dev libsystemd-dev libutf8proc-dev make
            pkg-config uthash-dev)
        netcat="netcat-openbsd"
    elif command -v dnf >/dev/null; then
        manager=dnf
        packages=(autoconf automake diffutils findutils gawk gcc glibc-devel inih-devel make pkgconf-pkg-config
            sqlite-devel systemd-devel tar utf8proc-devel uthash-devel)
        netcat="nmap-ncat"
    else
        fail "This system has neither apt-get nor dnf, so the packages cannot be installed from here." \
            "Install by hand: a C compiler, make, autoconf, automake, pkg-config, and the development files of" \
            "libsystemd, utf8proc, inih, sqlite and uthash. Then: autoreconf -fi && ./configure && make && make install"
    fi
    command -v nc >/dev/null || packages+=("$netcat")
    command -v systemd-socket-activate >/dev/null || packages+=(systemd)
}

is_installed() {
    case $manager in
    apt) [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ;;
    dnf) rpm -q --quiet --whatprovides "$1" ;;
    esac
}

install_packages() {
    local package
    new_packages=()
    for package in "${packages[@]}"; do
        is_installed "$package" || new_packages+=("$package")
    done
    [[ ${#new_packages[@]} != 0 ]] || return 0
    say "installing packages: ${new_packages[*]}"
    case $manager in
    apt)
        run apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive run apt-get -q -y install --no-install-recommends "${new_packages[@]}"
        ;;
    dnf) run dnf -q -y install --setopt=install_weak_deps=False "${new_packages[@]}" ;;
    esac || fail "The packages could not be installed; see above. Is this machine connected to the network?"
}

## Building

# What a command has to say is only of interest if it fails.
run() {
    "$@" >"$work/log" 2>&1 </dev/null || {
        tail -n 40 "$work/log" >&2
        say "this failed: $*" >&2
        return 1
    }
}

build() {
    local jobs
    jobs=$(nproc 2>/dev/null || echo 1)
    say "building"
    mkdir "$work/tree"
    # Without what an earlier build in the checkout, perhaps with other options, may have left.
    tar -C "$here" --exclude=./.git --exclude='*.o' --exclude='*.a' --exclude=autom4te.cache \
        --exclude=config.status --exclude=config.cache -cf - . | tar -C "$work/tree" --no-same-owner -xf -
    cd "$work/tree"
    run autoreconf -fi || exit 1
    run ./configure --prefix="$prefix" --sysconfdir=/etc --with-systemdsystemunitdir="$systemd_lib/system" || exit 1
    run make -j"$jobs" || exit 1
}

## The manifest: lines of "file PATH", "directory PATH" (made by us), "config SHA256" and "package NAME"

listed() {
    [[ ! -e $manifest ]] || sed -n "s/^$1 //p" "$manifest"
}

write_manifest() {
    local stage=$work/stage path
    run make -C "$work/tree" install DESTDIR="$stage" catalogdir="$systemd_lib/catalog" || exit 1
    {
        (cd "$stage" && find . -type d ! -path .) | sort | while read -r path; do
            [[ -d ${path#.} ]] || echo "directory ${path#.}"
        done
        [[ -d ${manifest%/*} ]] || echo "directory ${manifest%/*}"
        listed directory | sed 's/^/directory /'
        (cd "$stage" && find . ! -type d ! -path ".$config") | sort | sed 's/^\./file /'
        echo "file $manifest"
        echo "config $(sha256sum <"$stage$config" | cut -d' ' -f1)"
        listed package | sed 's/^/package /'
        ((${#new_packages[@]} == 0)) || printf 'package %s\n' "${new_packages[@]}"
    } >"$work/manifest"
}

config_is_as_shipped() {
    [[ -e $config && $(sha256sum <"$config" | cut -d' ' -f1) == "$(listed config)" ]]
}

install_files() {
    local path
    write_manifest
    ! config_is_as_shipped || rm "$config" # so that the new one takes its place
    listed file | while read -r path; do
        grep -qxF "file $path" "$work/manifest" || rm -f "$path"
    done
    run make -C "$work/tree" install catalogdir="$systemd_lib/catalog" || exit 1
    mkdir -p "${manifest%/*}"
    cp "$work/manifest" "$manifest"
}

## Ports

# Who listens on port $1, in words; nothing if nobody does, or chat.socket.
who_listens() {
    local inode fd pid
    inode=$(awk -v port="$(printf ':%04X' "$1")" \
        '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null) || true
    [[ -n $inode ]] || return 0
    fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" 2>/dev/null | sort -t/ -k3n | head -n 1) || true
    pid=$(cut -d/ -f3 <<<"$fd")
    if [[ $pid == 1 ]] && systemd_runs; then
        systemctl show --property=Listen chat.socket | grep -q ":$1 " && systemctl --quiet is-active chat.socket ||
            systemctl list-sockets --no-legend --no-pager |
            awk -v port="$1" '$1 ~ ":" port "$" { print $2 " of systemd" }' | grep . || echo "systemd"
    elif [[ -n $pid ]]; then
        echo "$(cat "/proc/$pid/comm") (process $pid)"
    else
        echo "a process that cannot be seen from here"
    fi
}

# The port of this run, or of an earlier one.
wanted_port() {
    local earlier
    earlier=$(sed -n 's/^ListenStream=//p' "$port_conf" 2>/dev/null | tail -n 1) || true
    echo "${port:-${earlier:-7000}}"
}

check_port() {
    local wanted holder
    wanted=$(wanted_port)
    holder=$(who_listens "$wanted")
    [[ -z $holder ]] ||
        fail "Port $wanted is taken by $holder." "Stop that, or choose another port, such as: ./install.sh --port=7001"
}

## The verbs

# Before anything is changed: a service would go on with settings that are nowhere written, or not start.
check_config() {
    run src/chatd --check-config || fail "The new version refuses the configuration; see above. Nothing was changed." \
        "Mend it, and run this again. What is installed goes on until then."
}

check_systemd_version() {
    local version
    version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p') || true
    [[ -z $version || $version -ge 249 ]] ||
        fail "This system has systemd $version; chatd needs 249 or later (Debian 12, Ubuntu 22.04, any Fedora of today)."
}

start_with_systemd() {
    if [[ -n $port ]]; then
        mkdir -p "${port_conf%/*}"
        printf '[Socket]\nListenStream=\nListenStream=%s\n' "$port" >"$port_conf"
    fi
    systemctl daemon-reload
    systemctl reset-failed chat.service chat.socket 2>/dev/null || true
    systemctl --quiet enable chat.socket
    if [[ -n $port ]] && systemctl --quiet is-active chat.socket; then
        systemctl restart chat.socket # another port needs another socket
    else
        systemctl start chat.socket
    fi
    # A socket can not be started for a service that runs, but together with it it can be: between its two processes.
    systemctl try-restart chat.service || true # greet() tells
    for _ in {1..5}; do
        if systemctl --quiet is-active chat-local.socket ||
            [[ $(systemctl is-enabled chat-local.socket 2>/dev/null) == masked ]]; then break; fi
        systemctl restart chat.service chat-local.socket || true
    done
    port=$(systemctl show --property=Listen --value chat.socket | sed -n 's/.*:\([0-9]*\) (Stream).*/\1/p' | head -n 1)
}

# The first connection starts the service, so this finds out whether it does.
greet() {
    local line=
    { exec 3<>"/dev/tcp/localhost/$port" && read -r -t 20 line <&3; } 2>/dev/null || true
    exec 3>&- || true
    [[ $line == "-- Welcome"* ]] || {
        journalctl --no-pager --lines=20 --unit=chat.service --unit=chat.socket >&2 || true
        fail "chatd is installed, but nobody greets on port $port. Its log is above; after mending the cause:" \
            "systemctl reset-failed chat.service; systemctl restart chat.socket"
    }
}

serve_in_foreground() {
    local drop=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all)
    say "systemd does not run this system, so chatd serves here in the foreground until Ctrl-C."
    "${drop[@]}" true 2>/dev/null || drop=()
    port=$(wanted_port)
    echo "Now try: nc localhost $port"
    cd /
    rm -rf "$work"
    trap - EXIT
    exec systemd-socket-activate --listen="$port" "${drop[@]}" "$prefix/sbin/chatd"
}

install_chatd() {
    local done=installed
    check_systemd_version
    find_package_manager
    [[ ! -e $manifest ]] || done=upgraded
    check_port
    install_packages
    check_systemd_version
    build
    check_config
    install_files
    systemd_runs || serve_in_foreground
    start_with_systemd
    greet
    ! firewall-cmd --quiet --state 2>/dev/null ||
        say "firewalld is running. To let others in: firewall-cmd --permanent --add-port=$port/tcp; firewall-cmd --reload"
    say "chatd is $done and chat.socket is listening; it will be after a reboot, too."
    echo "Now try: nc localhost $port"
}

# The group of the operators, unless somebody was put into it.
forget_group() {
    local entry
    entry=$(getent group chat-operators) || return 0
    [[ ${entry##*:} != "" ]] || groupdel chat-operators || true
}

# What was said is nobody's to remove but who asks for it.
remove_archive() { rm -rf "$archive" /var/lib/private/chatd; }

uninstall_chatd() {
    local path leftover
    if [[ -n $purge && ! -e $manifest && (-e $config || -e $archive) ]]; then
        rm -rf "$config" /etc/chatd.conf.d
        remove_archive
        say "chatd was removed before; now its configuration and its archive are, too."
        return
    fi
    [[ -e $manifest ]] || fail "There is no $manifest, so nothing was installed below $prefix from here." \
        "If it was another prefix, name it: ./install.sh --uninstall --prefix=DIR"
    if systemd_runs; then
        systemctl --quiet disable --now chat.socket chat-local.socket chat.service 2>/dev/null || true
    fi
    forget_group
    rm -rf /run/chat /run/chatd /run/private/chatd # which RuntimeDirectory= with DynamicUser= leaves
    rm -f "$port_conf"
    rmdir "${port_conf%/*}" 2>/dev/null || true
    if config_is_as_shipped || [[ -n $purge ]]; then
        rm -f "$config"
    fi
    [[ -z $purge ]] || remove_archive
    [[ -z $purge ]] || rm -rf /etc/chatd.conf.d /etc/systemd/system/chat{.socket,-local.socket,.service}.d
    leftover=$(listed package | tr '\n' ' ')
    listed directory | sort -r >"$work/directories"
    listed file >"$work/files"
    while read -r path; do rm -f "$path"; done <"$work/files"
    while read -r path; do rmdir "$path" 2>/dev/null || true; done <"$work/directories"
    if systemd_runs; then
        journalctl --update-catalog
        systemctl daemon-reload
        systemctl reset-failed chat.service chat.socket 2>/dev/null || true
    fi
    say "chatd is removed."
    [[ ! -e $config ]] || say "$config was changed here, so it stays; --uninstall --purge would remove it."
    [[ ! -d /etc/chatd.conf.d ]] || say "/etc/chatd.conf.d stays as well."
    [[ ! -e $archive ]] || say "What was said in rooms stays in $archive; --uninstall --purge would remove it."
    [[ -z $leftover ]] || say "Packages that were installed to build it stay; something else may need them by now: $leftover"
}

main() {
    local option verb=install_chatd
    for option; do
        case $option in
        --prefix=/*) prefix=${option#*=} ;;
        --prefix=*) fail "--prefix= wants an absolute path, such as --prefix=/usr/local" ;;
        --port=*) port=${option#*=} ;;
        --uninstall) verb=uninstall_chatd ;;
        --purge) purge=yes ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 64 ;;
        esac
    done
    [[ -z $port || ($port =~ ^[1-9][0-9]{0,4}$ && $port -le 65535) ]] || fail "--port= wants a number from 1 to 65535"
    [[ -z $purge || $verb == uninstall_chatd ]] || fail "--purge goes with --uninstall"
    [[ $(id -u) == 0 ]] || fail "This needs root. Try: sudo ./install.sh $*"
    prefix=${prefix%/}
    manifest=$prefix/share/chatd/manifest
    # Units are only looked for in a few folders, whatever the prefix.
    case $prefix in
    /usr | /usr/local) systemd_lib=$prefix/lib/systemd ;;
    *) systemd_lib=/usr/local/lib/systemd ;;
    esac

    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    $verb
}

# check.sh reads this file for its functions.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
