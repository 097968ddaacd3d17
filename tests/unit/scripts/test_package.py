"""What goes into the deployment package, on whatever Python it is built. The package itself: tests/conformance."""

import os
from pathlib import Path

import pytest

from scripts.package import ROOT, content_digest, deployed_files, write_zip
from scripts.package_dependencies import requirements_of
from shared.health.build import build_id

NEVER = ("local", "tests", "docs", "infra", "scripts", "build", ".github", ".ci", ".venv", ".venv-3.13", "node_modules")


def test_funcignore_keeps_out_what_is_not_deployed(tmp_path: Path) -> None:
    (tmp_path / ".funcignore").write_text((ROOT / ".funcignore").read_text())
    deployed = [
        "function_app.py",
        "host.json",
        "plans/a.yaml",
        "requirements.txt",
        "shared/local/a.py",
        "shared/x.html.j2",
    ]
    others = [f"{folder}/a.py" for folder in NEVER]
    others += ["local.settings.json", "local.settings.example.json", ".env", "README.md", "Makefile", "azure.yaml"]
    others += ["requirements-dev.txt", "shared/__pycache__/a.pyc", "server.key", "plans/server.pem", "pyproject.toml"]
    for name in (*deployed, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [file.as_posix() for file in deployed_files(tmp_path)] == deployed


def test_every_folder_of_this_project_is_deployed_on_purpose() -> None:
    assert {file.parts[0] for file in deployed_files(ROOT)} == {
        "function_app.py",
        "functions",
        "host.json",
        "plans",
        "requirements.txt",
        "shared",
    }


def test_markers_are_read_as_azure_does_whatever_python_this_is() -> None:
    named = {one.name.lower(): str(one.specifier) for one in requirements_of(ROOT / "requirements.txt")}
    assert named["azure-functions"].startswith("==2.")
    assert [name for name, version in named.items() if not version.startswith("==")] == [], "pin it"


def test_what_is_required_in_turn_is_pinned_beside_and_not_twice() -> None:
    pinned = {one.name.lower(): str(one.specifier) for one in requirements_of(ROOT / "constraints.txt")}
    assert pinned
    assert all(version.startswith("==") for version in pinned.values())
    assert not pinned.keys() & {one.name.lower() for one in requirements_of(ROOT / "requirements.txt")}


@pytest.mark.parametrize(("marker", "kept"), [('sys_platform == "linux"', True), ('python_version < "3.13"', False)])
def test_a_requirement_is_kept_by_its_marker(tmp_path: Path, marker: str, *, kept: bool) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"# a comment\n\nsix==1.0; {marker}  # why\n")
    assert [one.name for one in requirements_of(file)] == (["six"] if kept else [])


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    written = []
    for number, names in enumerate((("b.py", "a/c.py", "a-b.py"), ("a-b.py", "a/c.py", "b.py"))):
        folder = tmp_path / str(number)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            os.utime(folder / name, (number * 10_000, number * 10_000))
            (folder / name).chmod(0o600 if number else 0o755)
        assert write_zip(folder, tmp_path / f"{number}.zip") == 3
        written.append((tmp_path / f"{number}.zip").read_bytes())
    assert written[0] == written[1]


def test_the_id_of_a_build_follows_names_and_contents_alone(tmp_path: Path) -> None:
    first, again, moved, changed = (tmp_path / name for name in ("first", "again", "moved", "changed"))
    for folder, name, content in (
        (first, "a.py", "1"),
        (again, "a.py", "1"),
        (moved, "b.py", "1"),
        (changed, "a.py", "2"),
    ):
        folder.mkdir()
        (folder / name).write_text(content)
    assert content_digest(first) == content_digest(again)
    assert len({content_digest(folder) for folder in (first, moved, changed)}) == 3


def test_a_hub_that_runs_from_its_sources_says_so() -> None:
    assert build_id() == "source"
