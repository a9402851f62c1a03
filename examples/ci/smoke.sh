#!/bin/sh
# Fetch, scan and report on recorded fixtures, and compare with golden/. Exit: 0 the same, 1 different or failed.
#   smoke.sh [FOLDER]    what comes out is left in FOLDER, else in a temporary one that goes away
#   smoke.sh --update    what comes out becomes the golden files
# $ANOMSCAN is the command to run, by default anomscan.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
anomscan=${ANOMSCAN:-anomscan}

fail() {
    echo "smoke: $*" >&2
    exit 1
}

# Only the settings beside this script count: nobody's sigma from the environment, nor their store.
for name in $(env | sed -n 's/^\(ANOMSCAN_[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
out=$work
case ${1:-} in
'' | --update) ;;
-*) fail "unknown option $1" ;;
*) mkdir -p "$1" && out=$(CDPATH='' cd -- "$1" && pwd) ;;
esac
export ANOMSCAN_STORE__PATH="$work/store"

# expect CODE COMMAND...: anomscan must end with that code.
expect() {
    wanted=$1
    shift
    code=0
    "$anomscan" -q --config "$here/anomscan.toml" "$@" || code=$?
    [ "$code" -eq "$wanted" ] || fail "anomscan $1 ended with $code, not with $wanted"
}

# A line a value, the asset before each, so that a difference can be read.
unfolded() {
    awk -F '"' '{ n = split($0, part, /, "/); for (i = 1; i <= n; i++) print (/^{/ ? $8 ": " : "") (i > 1 ? "\"" : "") part[i] }' "$1"
}

expect 0 fetch
expect 3 scan --all --fail-on any -o "$out/results.jsonl" # 3: the fixtures have findings, and they are found
expect 0 report "$out/results.jsonl" --format links -o "$out/links.txt"

different=
for file in results.jsonl links.txt; do
    if [ "${1:-}" = --update ]; then
        cp "$out/$file" "$here/golden/$file"
    elif ! cmp -s "$here/golden/$file" "$out/$file"; then
        [ -f "$here/golden/$file" ] || fail "there is no golden/$file; smoke.sh --update writes it"
        unfolded "$here/golden/$file" >"$work/expected"
        unfolded "$out/$file" >"$work/found"
        diff -U 1 "$work/expected" "$work/found" | sed "1s|.*|--- golden/$file|; 2s|.*|+++ $file of this run|" >&2
        different="$different $file"
    fi
done
[ -z "$different" ] || fail "other results than the golden ones:$different. If that is meant:" \
    "sh $0 --update, read what git diff says, and commit it"
