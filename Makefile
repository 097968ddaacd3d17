# Everything a developer runs. `make demo` needs nothing but Python >= 3.11, Node >= 20 and make.
PYTHON ?= python3
SECOND_PYTHON ?= python3.13
VENV := .venv
RUN := $(VENV)/bin/python
SEED ?= 7
RECORDS ?= 10000
DATE ?= 2025-01-15
FAULTS ?= 0
WORKERS ?= 2

.PHONY: demo start mail-preview test test-all lint type unit bench environment test-environment package lock \
	second-python system-packages clean

environment: $(VENV)/.installed local/azurite/node_modules/.installed

test-environment: environment system-packages $(VENV)/.test-installed

# What the tests need of the system: installed where it is missing and we are root on Debian, else named.
system-packages:
	@sh scripts/install_system_package.sh sshd openssh-server "the SFTP tests start it"
	@sh scripts/install_system_package.sh cc "gcc libc6-dev" "the test double of Service Bus is compiled"

$(VENV)/.installed: requirements.txt constraints.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed; set PYTHON=")'
	@echo "building the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed requirements-test.txt
	@echo "installing what the tests need besides (it may be compiled: that takes half a minute)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-test.txt -c constraints.txt \
	  || { echo "a C compiler is needed to install the test double of Service Bus (Debian: apt install gcc)"; exit 1; }
	@touch $@

local/azurite/node_modules/.installed: local/azurite/package.json local/azurite/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js >= 20 (Azurite, the storage emulator, runs on it)"; exit 1; }
	@echo "installing Azurite"
	@cd local/azurite && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: environment
	@$(RUN) -m local.demo --seed $(SEED) --records $(RECORDS) --date $(DATE) --faults $(FAULTS)

start: environment
	@$(RUN) -m local.start

mail-preview: environment
	@$(RUN) -m local.mail_preview

lint: environment
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

type: test-environment
	@$(VENV)/bin/mypy

unit: test-environment
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile tests/unit tests/contract

test: test-environment lint type package test-all second-python

# By file: what a module starts (a hub, a broker, an emulator) is started once.
test-all: test-environment
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile

# What is deployed, with everything that it needs: build/integration-hub.zip. Needs no Node.
package: $(VENV)/.installed
	@SECOND_PYTHON=$(SECOND_PYTHON) $(RUN) -m scripts.package

# After a change of requirements.txt: what that requires in turn is pinned too.
lock: $(VENV)/.installed
	@SECOND_PYTHON=$(SECOND_PYTHON) $(RUN) -m scripts.package --lock

# Azure runs Python 3.13: where it is installed beside another version, the fast layers run on it too, and so do the
# tests of Microsoft's worker and of the package.
second-python: test-environment package
	@sh scripts/test_second_python.sh $(RUN) $(SECOND_PYTHON)

bench: test-environment
	@$(RUN) -m tests.bench

clean:
	rm -rf $(VENV) .venv-* build local/azurite/node_modules .mypy_cache .ruff_cache .pytest_cache .local
