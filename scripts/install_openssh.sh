#!/bin/sh
# Installs the OpenSSH server that the SFTP tests start, where it is missing (Debian and its like; needs root).
# Where it cannot be installed, it says so and goes on: the tests then skip with the reason, or fail when CI is set.
set -eu
if command -v sshd >/dev/null 2>&1 || [ -x /usr/sbin/sshd ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "NOTE: sshd is not installed, and installing it needs root and apt-get: apt-get install openssh-server"
    exit 0
fi
echo "installing the OpenSSH server for the SFTP tests"
# Nothing is to be started: the tests start their own on a free loopback port.
if ! { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends openssh-server; } >/dev/null 2>&1; then
    echo "NOTE: the OpenSSH server could not be installed; try: apt-get install openssh-server"
fi
