#!/bin/sh
# A fleet with known faults: make it, fetch, scan, report. Run at the root of the repository: demo.sh [BIN_FOLDER]
set -eu
bin=${1:+$1/}
config=examples/solar/anomscan.toml

"${bin}python" examples/solar/make_fleet.py demo/solar
"${bin}anomscan" --config "$config" fetch
"${bin}anomscan" --config "$config" scan --all -o demo/solar/results.jsonl
"${bin}anomscan" --config "$config" report demo/solar/results.jsonl -o demo/solar/report
