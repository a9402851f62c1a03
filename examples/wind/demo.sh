#!/bin/sh
# The main job on a real wind farm: fetch, train, scan, report. Run at the root of the repository: demo.sh [BIN_FOLDER]
set -eu
bin=${1:+$1/}
config=examples/wind/anomscan.toml

"${bin}python" examples/wind/prepare.py demo
"${bin}anomscan" --config "$config" fetch --all
"${bin}anomscan" --config "$config" train --through 2014-12-31
"${bin}anomscan" --config "$config" scan --all -o demo/results.jsonl
"${bin}anomscan" --config "$config" report demo/results.jsonl -o demo/report
for view in peers own; do
    "${bin}anomscan" --config "$config" scan --all --detector "$view" -o "demo/$view.jsonl"
done
