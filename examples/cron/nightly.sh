#!/bin/sh
# One night: fetch, scan, report, and what each exit code of anomscan calls for. Quiet where nothing is found.
#   nightly.sh [ENV_FILE]
# ENV_FILE sets the variables below and whatever anomscan is to find in its environment; see nightly.env.
# Exit: 0 nothing found, 3 findings, 4 some assets failed; else as anomscan, README.md has the table.
set -u

if [ $# -gt 0 ]; then
    set -a
    # shellcheck source=/dev/null
    . "$1"
    set +a
fi
anomscan=${NIGHTLY_ANOMSCAN:-anomscan}  # the command
folder=${NIGHTLY_FOLDER:-nights}        # a folder a night is made in it
notify=${NIGHTLY_NOTIFY:-}              # run by sh: $SUBJECT says what, standard input how; "" for none
days=${NIGHTLY_DAYS:-1}                 # judged days; more after nights that were missed, or where data come late
keep=${NIGHTLY_KEEP:-30}                # nights
tries=${NIGHTLY_TRIES:-4}               # to reach a service
retry_s=${NIGHTLY_RETRY_S:-900}         # seconds from one to the next
lock_timeout_s=${NIGHTLY_LOCK_S:-600}   # seconds to wait for another run
lines=${NIGHTLY_LINES:-50}              # of a notification

night=$(date +%Y-%m-%d)
results=$folder/$night/results.jsonl
report=$folder/$night/report
text=    # what the steps said
outcome=0
stopped=

# Whoever stops us stops anomscan too: systemd the whole control group, Ctrl-C the whole process group.
trap 'stopped=130' INT
trap 'stopped=143' TERM

# step COMMAND...: sets code; what anomscan says on standard error joins the text. Tries again while a service is away.
step() {
    left=$tries
    while :; do
        said=$("$anomscan" -q "$@" 2>&1 >/dev/null)
        code=$?
        left=$((left - 1))
        if [ -n "$stopped" ] || [ "$code" -ne 5 ] || [ "$left" -le 0 ]; then break; fi
        printf '%s\nnightly: anomscan %s is tried again in %s s\n' "$said" "$1" "$retry_s" >&2
        sleep "$retry_s"
        if [ -n "$stopped" ]; then break; fi
    done
    code=${stopped:-$code}
    text=$text${said:+$said
}
}

# tell WHAT: to standard error, which the journal keeps and cron mails, and to whom it concerns.
tell() {
    SUBJECT="anomscan $night on $(uname -n): $1"
    export SUBJECT
    printf '%s\n%s\n' "$SUBJECT" "$text" >&2
    if [ -n "$notify" ] && ! printf '%s\n' "$text" | sh -c "$notify"; then
        echo "nightly: the notification failed: $notify" >&2
        exit 1
    fi
}

# leave STEP: the night ends here.
leave() {
    case $code in
    6) printf '%s\nnightly: left to the other run\n' "$said" >&2 ;;
    130 | 143) echo "nightly: interrupted in $1; finished assets are kept, the next run goes on from there" >&2 ;;
    2) tell "$1 cannot work with its settings or inputs" ;;
    5) tell "$1 reached no service in $tries tries" ;;
    7)
        text=$text$(df -P "$folder" 2>&1)
        tell "$1 could not write: disk full, or no permission"
        ;;
    *) tell "$1 failed with exit code $code" ;;
    esac
    exit "$code"
}

worst() {
    if [ "$1" -gt "$outcome" ]; then outcome=$1; fi
}

for number in "$days" "$keep" "$tries" "$retry_s" "$lock_timeout_s" "$lines"; do
    case $number in
    '' | *[!0-9]* | 0*)
        text="NIGHTLY_DAYS, _KEEP, _TRIES, _RETRY_S, _LOCK_S and _LINES are whole numbers from 1 on; one is '$number'"
        code=2
        leave nightly.sh
        ;;
    esac
done
if ! text=$(mkdir -p "$folder/$night" 2>&1); then
    text="$text
"
    code=7
    leave nightly.sh
fi

step fetch
case $code in
0) ;;
4) worst 4 ;; # what came is judged
*) leave fetch ;;
esac

step scan --days "$days" --all -o "$results" --resume --lock-timeout "$lock_timeout_s" --fail-on any
case $code in
0 | 3 | 4) worst "$code" ;;
5) # the service was away for some assets only, if there are results
    if [ ! -f "$results" ]; then leave scan; fi
    worst 5
    ;;
*) leave scan ;;
esac

step report "$results" -o "$report"
case $code in
0) ;;
130 | 143) leave report ;;
*) # what was found is told all the same
    outcome=$code
    text="${text}the report failed with exit code $code
"
    ;;
esac

# Only a night that was judged makes an old one go.
set -- "$folder"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]
while [ $# -gt "$keep" ]; do
    rm -rf -- "$1"
    shift
done

case $outcome in
0) # no news but warnings, such as of an asset that has gone silent
    printf '%s' "$text" >&2
    exit 0
    ;;
3) what="findings" ;;
4) what="some assets failed" ;;
5) what="a service was away for some assets" ;;
*) what="the report failed" ;;
esac
summary=$("$anomscan" -q report "$results" --format markdown -o - 2>&1)
text="$text
$(printf '%s\n' "$summary" | head -n "$lines")

All of it: $report/index.html"
tell "$what"
exit "$outcome"
