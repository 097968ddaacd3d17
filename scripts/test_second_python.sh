#!/bin/sh
# Runs the unit, contract and conformance tests on Python 3.13, the version that Azure runs, where it is installed
# beside another version.
# Usage: test_second_python.sh <first python> [second python]
set -eu
cd "$(dirname "$0")/.."
first=$1
shift
if "$first" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then
    echo "the tests ran on Python 3.13 already"
    exit 0
fi
if ! second=$(sh scripts/find_python.sh "$@"); then
    echo "NOTE: there is no Python 3.13 here, neither python3.13 nor one of pyenv's. The tests of Microsoft's worker and"
    echo "NOTE: of the package did NOT run, nor did any test on the version that Azure runs."
    exit 0
fi
environment=.venv-3.13
stamp=$environment/.installed
if [ ! -e "$stamp" ] || [ -n "$(find requirements*.txt constraints.txt -newer "$stamp")" ]; then
    echo "building the environment in $environment"
    "$second" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-test.txt -c constraints.txt
    touch "$stamp"
fi
exec "$environment/bin/python" -m pytest -q -n 2 --dist loadfile tests/unit tests/contract tests/conformance
