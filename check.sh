#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The chatd authors
#
# Runs every test there is. See usage() below.
#
# Everything is built in a temporary directory from a copy of the files that git knows, as an ordinary user, so what a
# clean clone would lack is missed here, too. Each stage says in one line how it went; the last line has the totals.
# shellcheck disable=SC2317 # the exit at the end makes shellcheck think that nothing is reached
set -euo pipefail
# shellcheck source=install.sh
source "$(dirname "${BASH_SOURCE[0]}")/install.sh" # for its ways with packages

usage() {
    cat <<'TEXT'
usage: ./check.sh [--quick] [STAGE...]
       ./check.sh --list

Installs what the tests need (as root; otherwise says what is missing), then runs the stages named, or all:

  unit         builds with gcc, warnings are errors; unit and daemon tests, as an ordinary user
  sanitizers   the same with clang, AddressSanitizer and UndefinedBehaviorSanitizer
  valgrind     unit tests, and the daemon under its tests, without errors and leaks
  fuzz         every libFuzzer target, FUZZ_SECONDS each (60)
  distcheck    make distcheck
  lint         cppcheck, clang-tidy and shellcheck have nothing to say
  man          the man pages render without warnings
  bench        the benchmarks run at all
  system       the whole road, under a real systemd as PID 1 (needs root)

  --quick      only what takes seconds: unit, lint, man
  --list       the names of the stages

What cannot be run here is skipped and counted. With CI=true in the environment a skip is a failure.
The last line is "N passed, N failed", with ", N skipped" if there were any. The exit code is 0 if nothing failed.
TEXT
}

readonly all_stages=(unit sanitizers valgrind fuzz distcheck lint man bench system)
readonly quick_stages=(unit lint man)
readonly fuzz_seconds=${FUZZ_SECONDS:-60}
n_passed=0
n_failed=0
n_skipped=0
system_pid=
system_lacks=

## Counting

pass() { n_passed=$((n_passed + $1)); }

# What failed, and its log if there is one.
flunk() {
    n_failed=$((n_failed + 1))
    printf '  FAILED: %s\n' "$1"
    [[ -z ${2:-} ]] || tail -n 60 "$2" | cut -c 1-400 | sed 's/^/  | /'
}

skip() {
    [[ ${CI:-} != true ]] || { flunk "$1 (a skip is a failure with CI=true)"; return; }
    n_skipped=$((n_skipped + 1))
    printf '  skipped: %s\n' "$1"
}

# One check by a command: silent if it passes.
try() {
    local name=$1 log
    shift
    log=$work/logs/${name//[^a-zA-Z0-9.-]/_}.log
    if "$@" >"$log" 2>&1 </dev/null; then pass 1; else flunk "$name" "$log"; fi
}

# Counts what one test program said: libcheck's sums ("100%: Checks: 12, Failures: 0, Errors: 0"), or lines "ok N" and
# "not ok N"; a program that says neither is one test. A line "skipped: WHY" is one test that did not run.
count_program() {
    local name=$1 log=$2 code=$3 checks bad line not_run=()
    read -r checks bad < <(awk '
        /^[0-9]+%: Checks: / { gsub(/,/, ""); checks += $3; bad += $5 + $7 }
        /^not ok [0-9]/ { checks++; bad++ }
        /^ok [0-9]/ { checks++ }
        END { print checks + 0, bad + 0 }' "$log")
    if [[ $code == 77 ]]; then
        skip "$name: $(tail -n 1 "$log")"
        return
    fi
    mapfile -t not_run < <(sed -n 's/^skipped: //p' "$log")
    for line in "${not_run[@]}"; do skip "$name: $line"; done
    pass $((checks - bad - ${#not_run[@]}))
    if [[ $bad != 0 || $code != 0 ]]; then
        flunk "$name" "$log"
        n_failed=$((n_failed + (bad > 1 ? bad - 1 : 0)))
    elif grep -qE 'ERROR: [A-Za-z]*Sanitizer|runtime error:' "$log"; then
        flunk "$name: a sanitizer complained" "$log"
    elif [[ $checks == 0 ]]; then
        pass 1
    fi
}

# What "make check" left in the build tree $1.
count_make_check() {
    local trs result n=0
    while read -r trs; do
        n=$((n + 1))
        result=$(sed -n 's/^:global-test-result: //p' "$trs")
        case $result in
        PASS) result=0 ;;
        SKIP) result=77 ;;
        *) result=1 ;;
        esac
        count_program "$(basename "${trs%.trs}")" "${trs%.trs}.log" "$result"
    done < <(find "$1/tests" -name '*.trs' | sort)
    [[ $n != 0 ]] || flunk "make check in $1 ran no test"
}

## Two at a time: beside COMMAND..., then all_done

pool=()

beside() {
    if [[ ${#pool[@]} == 2 ]]; then
        wait "${pool[0]}" || true
        pool=("${pool[1]}")
    fi
    "$@" &
    pool+=($!)
}

all_done() {
    wait "${pool[@]}" || true
    pool=()
}

## Building

has() {
    local tool
    for tool; do command -v "$tool" >/dev/null || { skip "$tool is not installed"; return 1; }; done
}

# The product must build and be tested without privileges. Who has no account to do so is lent one: passwd(5) and
# group(5) have a line more, in these processes alone.
as_user() {
    if [[ $(id -u) != 0 ]]; then
        "$@"
    elif [[ -e $work/passwd ]]; then
        # shellcheck disable=SC2016 # it is for the shell that is started
        unshare --mount "$BASH" -c 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"' \
            "$work" setpriv --reuid="$user" --regid="$group" --clear-groups env HOME="$work" USER=chatd-check "$@"
    else
        setpriv --reuid="$user" --regid="$group" --clear-groups env HOME="$work" USER=chatd-check "$@"
    fi
}

choose_user() {
    user=${SUDO_UID:-0}
    group=${SUDO_GID:-0}
    if [[ $user != 0 || $(id -u) != 0 ]]; then return; fi
    user=60000
    while getent passwd "$user" || getent group "$user"; do user=$((user - 1)); done >/dev/null
    group=$user
    { cat /etc/passwd && echo "chatd-check:x:$user:$group::/nonexistent:/bin/sh"; } >"$work/passwd"
    { cat /etc/group && echo "chatd-check:x:$group:"; } >"$work/group"
    chmod 644 "$work/passwd" "$work/group"
    as_user true 2>/dev/null || rm "$work/passwd" # some containers do not let one mount
}

# Of a checkout the files that git knows, else (a release) all.
copy_tree() {
    local owner
    owner=$(stat -c %u "$here")
    mkdir "$work/source"
    if [[ -e $here/.git ]]; then
        # As its owner: git does not read the checkouts of others.
        if [[ $(id -u) == "$owner" ]]; then git -C "$here" ls-files -z
        else setpriv --reuid="$owner" --clear-groups env HOME=/nonexistent git -C "$here" ls-files -z; fi >"$work/files"
        tar -C "$here" --null --files-from="$work/files" -cf - | tar -C "$work/source" --no-same-owner -xf -
    else
        tar -C "$here" --exclude='*.o' --exclude='*.a' -cf - . | tar -C "$work/source" --no-same-owner -xf -
    fi
    [[ $(id -u) != 0 ]] || chown -R "$user:$group" "$work"
    (cd "$work/source" && as_user autoreconf -fi) >"$work/logs/autoreconf.log" 2>&1 || {
        flunk "autoreconf" "$work/logs/autoreconf.log"
        return 1
    }
}

# build NAME [ENVIRONMENT... configure options...]: configures and makes everything in $work/NAME.
build() {
    local name=$1 log=$work/logs/build-$1.log
    shift
    [[ -d $work/source/build-aux ]] || copy_tree || return
    [[ ! -e $work/$name/built ]] || return 0
    as_user mkdir -p "$work/$name"
    (cd "$work/$name" && as_user ../source/configure --sysconfdir=/etc --enable-werror "$@" &&
        as_user make -j2 all && as_user make -j2 check TESTS=) >"$log" 2>&1 </dev/null || {
        flunk "build of $name" "$log"
        return 1
    }
    ! grep -E 'warning:' "$log" || { flunk "compiler warnings in the build of $name"; return 1; }
    touch "$work/$name/built"
    pass 1
}

## Stages

# make_check NAME [VARIABLE=VALUE...]: of make, and of the environment of the tests. As an ordinary user, or by $as.
make_check() {
    local name=$1 no_skip=()
    shift
    [[ ${CI:-} != true ]] || no_skip=(TEST_NO_SKIP=1)
    find "$work/$name/tests" \( -name '*.trs' -o -name '*.log' \) -delete
    "${as:-as_user}" make -C "$work/$name/tests" -j2 -k check "${no_skip[@]}" "$@" >"$work/logs/check-$name.log" 2>&1 </dev/null ||
        true
    count_make_check "$work/$name"
}

stage_unit() {
    build gcc CC=gcc || return 0
    make_check gcc
    # What root does, and gives up to do it.
    if [[ $(id -u) == 0 ]]; then as="env" make_check gcc TESTS=daemon/test-export; fi
    # At how many crash points the process died, and nobody noticed.
    grep -rhs --include='test-crash*.log' ' died at ' "$work/gcc/tests/daemon" | sed 's/^/  /' || true
}

stage_sanitizers() {
    has clang || return 0
    build sanitizers CC=clang --enable-sanitizers || return 0
    make_check sanitizers TEST_TIMEOUT_SCALE=4 CK_TIMEOUT_MULTIPLIER=4 UBSAN_OPTIONS=print_stacktrace=1 \
        ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
}

# The unit tests in one process each, and the daemon that the daemon tests start. What valgrind says goes to files: a
# test may leave the daemon's stderr unread. Without vgdb, whose pipes in /tmp a killed daemon leaves behind, and by
# which a later one of the same pid fails to start if they are another user's.
stage_valgrind() {
    local valgrind unit daemon log
    has valgrind || return 0
    build gcc CC=gcc || return 0
    as_user mkdir "$work/valgrind"
    valgrind="valgrind --quiet --vgdb=no --error-exitcode=99 --leak-check=full --show-leak-kinds=definite"
    valgrind+=" --errors-for-leak-kinds=definite --log-file=$work/valgrind/%p.log"
    unit=$(cd "$work/source/tests" && ls unit/test-*.c)
    daemon=$(cd "$work/source/tests" && ls daemon/test-*.c)
    make_check gcc TEST_TIMEOUT_SCALE=10 CK_FORK=no \
        TESTS="$(tr '\n' ' ' <<<"${unit//.c/}")" LOG_COMPILER="$valgrind"
    make_check gcc TEST_TIMEOUT_SCALE=10 CK_TIMEOUT_MULTIPLIER=10 \
        TESTS="$(tr '\n' ' ' <<<"${daemon//.c/}")" CHATD_WRAPPER="$valgrind"
    while read -r log; do
        flunk "valgrind complained" "$log"
    done < <(find "$work/valgrind" -type f -size +0 -exec grep -L 'Process terminating with default action' {} +)
}

fuzz() {
    local target=$1 code=0
    as_user cp -r "$work/source/tests/fuzz/corpus-$target" "$work/corpus-$target"
    as_user mkdir "$work/found-$target"
    (cd "$work/corpus-$target" && as_user "$work/fuzz/tests/fuzz/fuzz-$target" -max_total_time="$fuzz_seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/found-$target/" .) \
        >"$work/logs/fuzz-$target.log" 2>&1 </dev/null || code=$?
    echo "$code" >"$work/logs/fuzz-$target.code"
}

stage_fuzz() {
    local source target targets=()
    has clang || return 0
    build fuzz CC=clang --enable-fuzzers || return 0
    for source in "$work"/source/tests/fuzz/fuzz-*.c; do
        target=$(basename "$source" .c)
        targets+=("${target#fuzz-}")
        beside fuzz "${target#fuzz-}"
    done
    all_done
    for target in "${targets[@]}"; do
        if [[ $(<"$work/logs/fuzz-$target.code") == 0 ]]; then
            pass 1
            echo "  fuzz-$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/logs/fuzz-$target.log") inputs"
        else
            # What it found, and not how it got there.
            sed -i '/^#[0-9]/d' "$work/logs/fuzz-$target.log"
            flunk "fuzz-$target" "$work/logs/fuzz-$target.log"
        fi
    done
}

stage_distcheck() {
    build gcc CC=gcc || return 0
    try "make distcheck" as_user make -C "$work/gcc" -j2 distcheck
}

tidy() {
    clang-tidy --quiet --warnings-as-errors='*' "$1" -- -std=gnu11 -D_GNU_SOURCE -Isrc -I"$work/gcc" \
        -DCHATD_CONFIG_FILE='"/etc/chatd.conf"' >"$2" 2>&1 || echo "clang-tidy failed" >>"$2"
}

check_tidy() { ! grep -q "clang-tidy failed" "$1" || { cat "$1"; return 1; }; }

stage_lint() {
    local files file
    build gcc CC=gcc || return 0
    cd "$work/source"
    if has cppcheck; then
        # It knows nothing of __attribute__((cleanup)), and readdir_r(3) is not to be used.
        try cppcheck cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
            --suppress=missingIncludeSystem --suppress=resourceLeak --suppress=memleak --suppress=readdirCalled \
            --library=posix --error-exitcode=1 -j2 -Isrc src
    fi
    if has clang-tidy; then
        mapfile -t files < <(find src -name '*.c' | sort)
        for file in "${files[@]}"; do beside tidy "$file" "$work/logs/tidy-${file//\//-}.log"; done
        all_done
        for file in "${files[@]}"; do
            try "clang-tidy $file" check_tidy "$work/logs/tidy-${file//\//-}.log"
        done
    fi
    if has shellcheck; then
        # -a: what inside reads is judged with it.
        try shellcheck shellcheck -x -a install.sh check.sh .ci/run tests/system/machine tests/system/run tests/system/inside
    fi
}

is_silent() {
    local output
    output=$("$@" 2>&1) || output+=" (exit code $?)"
    [[ -z $output ]] || { echo "$output"; return 1; }
}

stage_man() {
    local page
    build gcc CC=gcc || return 0
    for page in "$work"/gcc/man/*.[0-9]; do
        ! has mandoc || try "mandoc ${page##*/}" is_silent mandoc -Tlint -Wwarning "$page"
        ! has groff || try "groff ${page##*/}" is_silent groff -mandoc -ww -z -Tutf8 "$page"
    done
}

stage_bench() {
    build gcc CC=gcc || return 0
    try "bench smoke" as_user make -C "$work/gcc/bench" smoke
}

# The system test waits more than it works, so it is begun before the other stages.
system_begin() {
    [[ $(id -u) == 0 ]] || { system_lacks="root"; return 0; }
    unshare --mount --pid --fork true 2>/dev/null || { system_lacks="namespaces, which cannot be made here"; return 0; }
    [[ -d $work/source/build-aux ]] || copy_tree || { system_lacks="a tree that can be built"; return 0; }
    "$work/source/tests/system/run" "$work/source" >"$work/logs/system.log" 2>&1 </dev/null &
    system_pid=$!
}

stage_system() {
    local code=0
    [[ -z $system_lacks ]] || { skip "the system test needs $system_lacks"; return 0; }
    wait "$system_pid" || code=$?
    system_pid=
    count_program "system test" "$work/logs/system.log" "$code"
    grep -E '^# .* (ms|s)$' "$work/logs/system.log" | sed 's/^#/ /' || true
}

## The whole

list_packages() {
    find_package_manager
    case $manager in
    apt)
        packages+=(check clang clang-tidy cppcheck git groff-base iproute2 llvm man-db mandoc "$netcat" shellcheck
            util-linux valgrind)
        # The run-time of the sanitizers; Ubuntu 22.04 has it in a package that clang needs anyway.
        grep -q '^VERSION_ID="22.04"' /etc/os-release || packages+=(libclang-rt-dev)
        ;;
    dnf) packages+=(ShellCheck check-devel clang clang-tools-extra compiler-rt cppcheck git groff-base iproute llvm man-db
        mandoc "$netcat" util-linux valgrind) ;;
    esac
}

prepare() {
    list_packages
    if [[ $(id -u) == 0 ]]; then
        install_packages
    else
        local package missing=()
        for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done
        [[ ${#missing[@]} == 0 ]] ||
            say "not installed, so some tests may be skipped: ${missing[*]} (./check.sh installs them when it runs as root)"
    fi
}

check() {
    local stage option stages=()
    for option; do
        case $option in
        --quick) stages+=("${quick_stages[@]}") ;;
        --list) printf '%s\n' "${all_stages[@]}"; exit ;;
        --help | -h) usage; exit ;;
        *) [[ " ${all_stages[*]} " == *" $option "* ]] || { usage >&2; exit 64; }
            stages+=("$option") ;;
        esac
    done
    [[ ${#stages[@]} != 0 ]] || stages=("${all_stages[@]}")

    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    work=$(mktemp -d /var/tmp/chatd-check.XXXXXX)
    mkdir "$work/logs"
    chmod 755 "$work"
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap finish EXIT
    choose_user
    prepare
    [[ " ${stages[*]} " != *" system "* ]] || system_begin
    for stage in "${stages[@]}"; do
        run_stage "$stage"
    done
    [[ $n_failed == 0 ]] || say "the logs are in $work"
    echo "$n_passed passed, $n_failed failed$( ((n_skipped == 0)) || echo ", $n_skipped skipped")"
    [[ $n_failed == 0 ]]
}

finish() {
    if [[ -n $system_pid ]]; then
        kill "$system_pid" 2>/dev/null || true
        wait "$system_pid" || true
    fi
    [[ $n_failed != 0 ]] || rm -rf "$work"
}

# In this shell, because of the counters.
run_stage() {
    local passed=$n_passed failed=$n_failed skipped=$n_skipped start=$SECONDS
    echo "== $1"
    "stage_$1"
    cd /
    echo "   $1: $((n_passed - passed)) passed, $((n_failed - failed)) failed, $((n_skipped - skipped)) skipped," \
        "$((SECONDS - start)) s"
}

check "$@"; exit # at once: this file may be another one by now
