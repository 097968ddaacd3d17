"""The deployment package: what is in it, and that the app starts from it with nothing else."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from scripts.package import BUILD_ID, MAX_MEGABYTES, PACKAGE, ROOT, SITE_PACKAGES, compile_bytecode, deployed_files
from scripts.package_dependencies import requirements_of
from tests.conformance.functions import recorded

AZURE_MAGIC = b"\xf3\r\r\n"
"""How bytecode of Python 3.13 begins."""
DOCUMENTED_PUBLICLY = {".python_packages/lib/site-packages/certifi/cacert.pem"}

START = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import function_app, json
print(json.dumps(sorted(one.get_function_name() for one in function_app.app.get_functions())))
"""
BUILD = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from functions.endpoints import health
print(health.liveness(None, None).data["build"])
"""
LOAD_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import functions, shared
for package in (functions, shared):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
import azure.data.tables, azure.identity, azure.servicebus, azure.storage.blob, azure.storage.queue
import azure.keyvault.secrets, cryptography, jwt, nacl.bindings, paramiko, pydantic_core, yaml
outside = [one.__file__ for one in list(sys.modules.values())
           if "site-packages" in (getattr(one, "__file__", None) or "") and not one.__file__.startswith(sys.argv[1])]
print(outside, sys.prefix == sys.base_prefix or sys.flags.no_site)
"""


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    """The package that `make package` built. One that was built from something else is of no use."""
    if not PACKAGE.exists():
        pytest.skip("there is no package: `make package` builds it")
    opened = zipfile.ZipFile(PACKAGE)
    changed = [file.as_posix() for file in deployed_files(ROOT) if _content(opened, file) != (ROOT / file).read_bytes()]
    assert changed == [], "the package is out of date: `make package` builds it anew"
    return opened


@pytest.fixture(scope="module")
def unpacked(archive: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wwwroot")
    archive.extractall(folder)
    return folder


def _content(archive: zipfile.ZipFile, file: Path) -> bytes | None:
    name = file.as_posix()
    return archive.read(name) if name in archive.NameToInfo else None


def run_isolated(script: str, folder: Path) -> str:
    """Run a script with the folder alone: no environment, no site-packages, no working directory on the path."""
    command = [sys.executable, "-I", "-S", "-B", "-c", script, str(folder), str(folder / SITE_PACKAGES)]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_app_starts_from_the_unpacked_package_and_has_all_functions(unpacked: Path) -> None:
    assert json.loads(run_isolated(START, unpacked)) == sorted(recorded("storage"))


def test_the_app_answers_with_the_id_of_its_build(unpacked: Path) -> None:
    """By which a deployment knows that what answers is what it deployed."""
    answer = run_isolated(BUILD, unpacked).strip()
    assert re.fullmatch("[0-9a-f]{12}", answer)
    assert answer == (unpacked / BUILD_ID).read_text()


def test_every_module_of_it_loads_with_what_is_in_it(unpacked: Path) -> None:
    assert run_isolated(LOAD_ALL, unpacked).split() == ["[]", "True"]


def test_it_has_what_is_deployed_and_nothing_else(archive: zipfile.ZipFile) -> None:
    app = {
        name for name in archive.namelist() if not name.startswith(".python_packages/") and "__pycache__" not in name
    }
    assert app == {file.as_posix() for file in deployed_files(ROOT)} | {BUILD_ID}
    top = {name.partition("/")[0] for name in archive.namelist()}
    assert top == {
        ".python_packages",
        "__pycache__",
        "build-id.txt",
        "function_app.py",
        "functions",
        "host.json",
        "plans",
        "requirements.txt",
        "shared",
    }
    assert {"plans/store-associates.yaml", "shared/notify/templates/layout.html.j2"} <= app


def test_no_secret_is_in_it(archive: zipfile.ZipFile) -> None:
    """Neither a file that holds such, nor a value of the local settings."""
    keys = {name for name in archive.namelist() if Path(name).suffix in (".pem", ".key", ".pfx", ".env")}
    assert keys <= DOCUMENTED_PUBLICLY
    assert not [name for name in archive.namelist() if "settings.json" in name]
    local = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    secret = [value.encode() for name, value in local.items() if value and name.endswith(("SECRET", "PASSWORD", "KEY"))]
    assert secret
    own = [name for name in archive.namelist() if not name.startswith(".python_packages/")]
    assert [name for name in own if any(value in archive.read(name) for value in secret)] == []


def test_all_of_it_is_compiled_and_trusted_unread(archive: zipfile.ZipFile) -> None:
    """Flag 1: by hash, and not checked. Azure mounts the package read-only, and would compile it at each start."""
    names = set(archive.namelist())
    for name in sorted(one for one in names if one.endswith(".py")):
        folder, _, stem = name.removesuffix(".py").rpartition("/")
        compiled = f"{folder + '/' if folder else ''}__pycache__/{stem}.cpython-313.pyc"
        assert compiled in names
        head = archive.read(compiled)[:8]
        assert head[:4] == AZURE_MAGIC
        assert int.from_bytes(head[4:], "little") == 1, name


def test_it_is_made_for_azures_linux(archive: zipfile.ZipFile) -> None:
    built = [name for name in archive.namelist() if ".so" in Path(name).suffixes or name.endswith(".so")]
    assert built
    assert [one for one in built if not one.endswith((".cpython-313-x86_64-linux-gnu.so", ".abi3.so"))] == []


def test_every_version_in_it_is_the_one_that_is_pinned(unpacked: Path) -> None:
    pinned = {
        canonicalize_name(one.name): str(one.specifier)
        for file in ("requirements.txt", "constraints.txt")
        for one in requirements_of(ROOT / file)
    }
    found = {canonicalize_name(one.name): one.version for one in distributions(path=[str(unpacked / SITE_PACKAGES)])}
    assert found[canonicalize_name("azure-functions")].startswith("2.")
    assert {name: f"=={version}" for name, version in found.items()} == pinned


def test_compiling_it_again_elsewhere_gives_the_same_bytes(unpacked: Path, tmp_path: Path) -> None:
    for name in ("functions", "shared"):
        shutil.copytree(unpacked / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    compile_bytecode(tmp_path, sys.executable)
    compiled = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.pyc")]
    assert compiled
    assert [path for path in compiled if (tmp_path / path).read_bytes() != (unpacked / path).read_bytes()] == []


def test_nothing_in_it_tells_when_or_where_it_was_built(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {(entry.date_time, entry.external_attr, entry.create_system) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), 0o644 << 16, 3)
    }
    builder = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"]
    assert [entry.filename for entry in entries if Path(entry.filename).name in builder] == []


def test_it_is_small_enough(archive: zipfile.ZipFile) -> None:
    assert PACKAGE.stat().st_size < MAX_MEGABYTES * 1_000_000
    assert not [name for name in archive.namelist() if "/tests/" in name]
