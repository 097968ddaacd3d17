"""The real compiler accepts every template without a warning."""

import json
import re

import pytest

from tests.unit.infra import compiler
from tests.unit.infra.templates import INFRA, TEMPLATES, template

NAMES = [str(path.relative_to(INFRA)) for path in TEMPLATES]
DEPLOYED = ["main.bicep", "inbox-subscriptions.bicep"]


@pytest.mark.parametrize("name", DEPLOYED)
@pytest.mark.parametrize("command", ["build", "lint"])
def test_what_is_deployed_builds_and_lints_without_a_warning(name: str, command: str) -> None:
    """The compiler looks at the modules of a template as well."""
    done = compiler.run(command, name, *(["--stdout"] if command == "build" else []))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_template_is_deployed() -> None:
    named = set(DEPLOYED)
    for name in DEPLOYED:
        named |= set(re.findall(r"'((?:modules/)?[\w-]+\.bicep)'", (INFRA / name).read_text()))
    assert named == set(NAMES)


def test_the_parameters_file_fits_the_template() -> None:
    done = compiler.run("build-params", "main.bicepparam", "--stdout")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_rule_of_the_linter_is_an_error() -> None:
    core = json.loads((INFRA / "bicepconfig.json").read_text())["analyzers"]["core"]
    assert core["enabled"]
    assert {rule["level"] for rule in core["rules"].values()} == {"error"}


def test_a_setting_that_the_hub_does_not_know_is_refused() -> None:
    """The type of the settings is sealed: a misspelt name cannot be deployed."""
    definition = compiler.compiled("main.bicep")["definitions"]
    sealed = next(one for name, one in definition.items() if name.endswith("hubSettings"))
    assert sealed["additionalProperties"] is False


@pytest.mark.parametrize("name", NAMES)
def test_the_parser_reads_every_template(name: str) -> None:
    assert set(template(name)) - {"globals"}
