"""The real compiler accepts every template without a warning."""

import json
import re
from pathlib import Path

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


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)], ids=["in CI", "elsewhere"]
)
def test_a_missing_compiler_fails_in_ci_and_is_told_of_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiler, "ROOT", tmp_path / "repository")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"neither at .* nor on the PATH"):
        compiler.compiler()


def test_a_compiler_on_the_path_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = tmp_path / "bicep"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.setattr(compiler, "ROOT", tmp_path / "repository")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.compiler() == found
