#!/bin/sh
# Installs what the tests need of the system, where it is missing (Debian and its like; needs root).
# Usage: install_system_package.sh <command> <packages> <what for>
# Where it cannot be installed, it says so and goes on: what needs it then skips with the reason, or fails with it.
set -eu
command=$1
packages=$2
purpose=$3
if command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "NOTE: $command is not installed ($purpose), and installing it needs root: apt-get install $packages"
    exit 0
fi
echo "installing $packages ($purpose)"
# Nothing is to be started: the tests start their own servers on free loopback ports.
# shellcheck disable=SC2086 # several packages
if ! { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1; then
    echo "NOTE: $packages could not be installed ($purpose); try: apt-get install $packages"
fi
