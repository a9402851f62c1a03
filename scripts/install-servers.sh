#!/bin/sh
# Installs the database server that the tests start for themselves. Does nothing where it is there.
set -eu
PATH=$PATH:/usr/sbin:/usr/local/sbin
command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && exit 0

install='apt-get install -y --no-install-recommends mariadb-server'
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
    echo "the tests need a MariaDB server (mariadbd); as root: $install" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive $install
