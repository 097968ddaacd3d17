#!/bin/sh
# Runs the unit and contract tests on the Python that Azure runs, where it is installed beside another version.
# Usage: test_second_python.sh <first python> <second python>
set -eu
first=$1
second=$2
if ! command -v "$second" >/dev/null 2>&1 || ! "$second" -c '' 2>/dev/null; then
    found=""
    if command -v pyenv >/dev/null 2>&1; then
        root=$(pyenv root)
        found=$(ls -d "$root"/versions/3.13*/bin/python 2>/dev/null | tail -n 1 || true)
    fi
    if [ -z "$found" ]; then
        echo "NOTE: $second is not installed; the tests ran on one Python only (Azure runs 3.13)"
        exit 0
    fi
    second=$found
fi
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
if [ "$(version "$first")" = "$(version "$second")" ]; then
    echo "the tests ran on Python $(version "$first") already"
    exit 0
fi
environment=.venv-$(version "$second")
stamp=$environment/.installed
if [ ! -e "$stamp" ] || [ requirements.txt -nt "$stamp" ] || [ requirements-dev.txt -nt "$stamp" ] \
    || [ requirements-test.txt -nt "$stamp" ]; then
    echo "building the environment in $environment"
    "$second" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
    touch "$stamp"
fi
exec "$environment/bin/python" -m pytest -q tests/unit tests/contract
