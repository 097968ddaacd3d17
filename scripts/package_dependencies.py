"""What the hub needs at run time, as Azure's Linux on Python 3.13 needs it, whatever this machine runs.

pip picks wheels for another platform, but reads environment markers (`; python_version < "3.13"`) as of the interpreter
that it runs on. So the markers are read here: of the requirements before pip runs, of the packages after it.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

PYTHON_VERSION = "3.13"
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)), "manylinux2014_x86_64")
TARGET = {
    "implementation_name": "cpython",
    "implementation_version": "3.13.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.13.0",
    "python_version": PYTHON_VERSION,
    "sys_platform": "linux",
}
"""The values of environment markers in Azure."""

_INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""They name this machine's paths, and nobody uninstalls from a package."""


class PackagingError(RuntimeError):
    """The package cannot be built; the message says why."""


def requirements_of(file: Path) -> list[Requirement]:
    """Return the requirements that hold in Azure, those for other Python versions left out."""
    lines = (line.split(" #")[0].strip() for line in file.read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [one for one in found if one.marker is None or one.marker.evaluate(TARGET)]


def install(root: Path, cache: Path) -> Path:
    """Return a folder with everything that is required, built only when that changed. PackagingError.

    Versions are those of `requirements.txt`, and for what these require in turn those of `constraints.txt`.
    """
    inputs = (root / "requirements.txt", root / "constraints.txt", Path(__file__))
    folder = cache / hashlib.sha256(b"".join(one.read_bytes() for one in inputs)).hexdigest()[:16]
    if not folder.is_dir():
        shutil.rmtree(cache, ignore_errors=True)
        half = cache / "half"
        requirements = requirements_of(root / "requirements.txt")
        _pip_install(requirements, half, root / "constraints.txt")
        versions = _keep_what_is_needed(requirements, half)
        _check_pins(versions, requirements, requirements_of(root / "constraints.txt"))
        _prune(half)
        half.rename(folder)
    return folder


def lock(root: Path) -> None:
    """Write `constraints.txt` anew, with the newest versions that fit `requirements.txt`. PackagingError."""
    requirements = requirements_of(root / "requirements.txt")
    ours = {canonicalize_name(one.name) for one in requirements}
    with tempfile.TemporaryDirectory() as folder:
        _pip_install(requirements, Path(folder))
        versions = _keep_what_is_needed(requirements, Path(folder))
    lines = [f"{name}=={version}" for name, version in sorted(versions.items()) if name not in ours]
    text = "# What requirements.txt requires in turn, as it is deployed and tested. Written by `make lock`.\n"
    (root / "constraints.txt").write_text(text + "\n".join(lines) + "\n")


def _check_pins(versions: Mapping[str, str], *pinned: list[Requirement]) -> None:
    names = {canonicalize_name(one.name) for group in pinned for one in group}
    if loose := sorted(set(versions) - names):
        raise PackagingError(f"{', '.join(loose)}: no version is pinned; `make lock` writes constraints.txt anew")


def _pip_install(requirements: list[Requirement], folder: Path, constraints: Path | None = None) -> None:
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(folder), "--python-version", PYTHON_VERSION, "--implementation", "cp"]
    # pip would hold `Requires-Python` against the interpreter that it runs on; it is checked below for Azure's.
    command += ["--ignore-requires-python", "--only-binary=:all:", *platforms]
    command += ["--constraint", str(constraints)] if constraints else []
    command += [str(one).partition(";")[0].strip() for one in requirements]
    if subprocess.run(command, check=False).returncode:
        raise PackagingError("pip could not fetch what is required: its message is above")


def _keep_what_is_needed(requirements: list[Requirement], folder: Path) -> dict[str, str]:
    """Remove what only the interpreter that pip ran on asked for; return the versions of the rest, by name.

    PackagingError for what only Azure's interpreter needs.
    """
    installed = {canonicalize_name(one.name): one for one in distributions(path=[str(folder)])}
    needed: set[NormalizedName] = set()
    waiting = list(requirements)
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        found = installed.get(name)
        if found is None or not requirement.specifier.contains(found.version, prereleases=True):
            have = found.version if found else "nothing"
            raise PackagingError(
                f"{requirement} is needed on Python {PYTHON_VERSION}, there is {have}: name it in requirements.txt"
            )
        if not SpecifierSet(found.metadata["Requires-Python"] or "").contains(TARGET["python_full_version"]):
            raise PackagingError(f"{name} {found.version} does not run on Python {PYTHON_VERSION}")
        needed.add(name)
        waiting += _requirements_for_target(found, requirement.extras)
    for name, surplus in installed.items():
        if name not in needed:
            for path in surplus.files or ():
                Path(str(surplus.locate_file(path))).unlink(missing_ok=True)
    return {name: installed[name].version for name in needed}


def _requirements_for_target(distribution: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(
            requirement.marker.evaluate(TARGET | {"extra": extra}) for extra in ("", *extras)
        ):
            yield requirement


def _prune(folder: Path) -> None:
    """Remove what is not needed to run."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for tests in [path for path in folder.rglob("tests") if any(path.glob("test_*.py"))]:
        shutil.rmtree(tests)
    for cached in list(folder.rglob("__pycache__")):
        shutil.rmtree(cached)
    for information in folder.glob("*.dist-info"):
        for name in _INSTALLER_FILES:
            (information / name).unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
