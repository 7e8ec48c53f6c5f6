#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The chatd authors
#
# Runs every test there is. See usage() below.
#
# Everything is built in a temporary directory from a copy of the files that git knows, as an ordinary user, so what a
# clean clone would lack is missed here, too. Each stage says in one line how it went; the last line has the totals.
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

## Counting

pass() { n_passed=$((n_passed + $1)); }

# What failed, and its log if there is one.
flunk() {
    n_failed=$((n_failed + 1))
    printf '  FAILED: %s\n' "$1"
    [[ -z ${2:-} ]] || tail -n 60 "$2" | sed 's/^/  | /'
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

# Counts what one test program said: libcheck's sums ("100%: Checks: 12, Failures: 0, Errors: 0"), or lines "ok" and
# "not ok"; a program that says neither is one test.
count_program() {
    local name=$1 log=$2 code=$3 checks bad
    read -r checks bad < <(awk '
        /^[0-9]+%: Checks: / { gsub(/,/, ""); checks += $3; bad += $5 + $7 }
        /^not ok/ { checks++; bad++ }
        /^ok/ { checks++ }
        END { print checks + 0, bad + 0 }' "$log")
    grep -i '^skipped: ' "$log" | sort -u | while read -r line; do echo "  $name: $line"; done || true
    if [[ $code == 77 ]]; then
        skip "$name: $(tail -n 1 "$log")"
    elif [[ $code != 0 || $bad != 0 ]]; then
        pass $((checks - bad))
        flunk "$name" "$log"
        n_failed=$((n_failed + (bad > 1 ? bad - 1 : 0)))
    else
        pass $((checks > 0 ? checks : 1))
    fi
    if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:|^==[0-9]+== (Invalid|Conditional|Use of)' "$log" && [[ $code == 0 ]]; then
        flunk "$name: a sanitizer complained" "$log"
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

## Building

has() {
    local tool
    for tool; do command -v "$tool" >/dev/null || { skip "$tool is not installed"; return 1; }; done
}

# The product must build and be tested without privileges.
as_user() {
    if [[ $(id -u) == 0 ]]; then
        setpriv --reuid="$user" --regid="$group" --clear-groups env HOME="$work" USER=chatd-check "$@"
    else
        "$@"
    fi
}

choose_user() {
    user=${SUDO_UID:-65534}
    group=${SUDO_GID:-65534}
    if [[ $user == 0 ]]; then user=65534 group=65534; fi
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

make_check() {
    local name=$1
    shift
    (cd "$work/$name" && as_user env "$@" make -j2 -k check) >"$work/logs/check-$name.log" 2>&1 </dev/null || true
    count_make_check "$work/$name"
}

no_skip() { [[ ${CI:-} != true ]] || echo TEST_NO_SKIP=1; }

stage_unit() {
    build gcc CC=gcc || return 0
    make_check gcc "$(no_skip)"
}

stage_sanitizers() {
    has clang || return 0
    build sanitizers CC=clang --enable-sanitizers || return 0
    make_check sanitizers "$(no_skip)" TEST_TIMEOUT_SCALE=4 UBSAN_OPTIONS=print_stacktrace=1 \
        ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
}

stage_valgrind() { :; }
stage_fuzz() { :; }

stage_distcheck() {
    build gcc CC=gcc || return 0
    # shellcheck disable=SC2016
    try "make distcheck" as_user make -C "$work/gcc" -j2 distcheck
}

stage_lint() {
    local file
    build gcc CC=gcc || return 0
    cd "$work/source"
    if has cppcheck; then
        try cppcheck cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
            --suppress=missingIncludeSystem --library=posix --error-exitcode=1 -j2 -Isrc src
    fi
    if has clang-tidy; then
        while read -r file; do
            try "clang-tidy $file" clang-tidy --quiet --warnings-as-errors='*' "$file" -- \
                -std=gnu11 -Isrc -I"$work/gcc" -DCHATD_CONFIG_FILE='"/etc/chatd.conf"'
        done < <(find src -name '*.c' | sort)
    fi
    if has shellcheck; then
        try shellcheck shellcheck install.sh check.sh .ci/run tests/system/machine tests/system/run tests/system/inside
    fi
}

stage_man() { :; }
stage_bench() { :; }
stage_system() { :; }

## The whole

list_packages() {
    find_package_manager
    case $manager in
    apt) packages+=(check clang clang-tidy cppcheck git groff iproute2 libclang-rt-dev llvm man-db mandoc
        "$netcat" shellcheck util-linux valgrind) ;;
    dnf) packages+=(ShellCheck check-devel clang clang-tools-extra compiler-rt cppcheck git groff iproute llvm man-db
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
    trap 'rm -rf "$work"' EXIT
    choose_user
    prepare
    for stage in "${stages[@]}"; do
        run_stage "$stage"
    done
    if [[ $n_failed != 0 ]]; then
        trap - EXIT
        say "the logs are in $work"
    fi
    echo "$n_passed passed, $n_failed failed$( ((n_skipped == 0)) || echo ", $n_skipped skipped")"
    [[ $n_failed == 0 ]]
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

check "$@"
