#!/usr/bin/env bash
# Puts secrets into the vault, each as a new version. docs/secrets.md has their names.
# Usage: put_secrets.sh <vault> <name>...            asks for each value, shows nothing
#        put_secrets.sh <vault> <name> < file        takes the value of one secret from a file, byte for byte
# A value is never an argument of a command, where every user of the machine could read it.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 <vault> <name>...   (docs/secrets.md has the names)" >&2
    exit 2
fi
vault=$1
shift
if [ ! -t 0 ] && [ $# -ne 1 ]; then
    echo "from a file only one secret can be taken: $# names were given" >&2
    exit 2
fi

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
value=$folder/value

for name in "$@"; do
    if [ -t 0 ]; then
        read -r -s -p "$name: " answer
        echo
        printf '%s' "$answer" >"$value"
        unset answer
    else
        cat >"$value"
    fi
    if [ ! -s "$value" ]; then
        echo "$name: the value is empty; nothing was stored" >&2
        exit 1
    fi
    az keyvault secret set --vault-name "$vault" --name "$name" --file "$value" --encoding utf-8 --output none
    rm -f "$value"
    echo "$name: a new version is in $vault"
done
