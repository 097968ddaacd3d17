#!/bin/sh
# Prints the path of an interpreter of Python 3.13, the version that Azure runs: the one that is asked for, where it
# works, else the newest that pyenv has. Exit 1 and nothing printed where there is none.
# Usage: find_python.sh [name or path, python3.13 by default]
set -eu
is_it() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; }
wanted=${1:-python3.13}
if is_it "$wanted"; then
    command -v "$wanted"
    exit 0
fi
command -v pyenv >/dev/null 2>&1 || exit 1
for found in $(find "$(pyenv root)/versions" -maxdepth 3 -path '*/3.13*/bin/python' 2>/dev/null | sort -rV); do
    if is_it "$found"; then
        echo "$found"
        exit 0
    fi
done
exit 1
