"""Build the deployment package: `python -m scripts.package`, or `make package`.

What goes in is decided by `.funcignore` alone, plus what `requirements.txt` asks for. The same input gives the same
bytes: entries are sorted, their times fixed, and bytecode does not depend on the time or place of the build.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from pathspec import PathSpec

from scripts.package_dependencies import PYTHON_VERSION, PackagingError, install, lock

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "build" / "integration-hub.zip"
WORK = ROOT / "build" / "package"
SITE_PACKAGES = Path(".python_packages/lib/site-packages")
MAX_MEGABYTES = 60
BUILD_ID = "build-id.txt"
"""Names the package in what the hub answers (shared/health/build.py): two packages of the same content have one ID."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""


def deployed_files(root: Path) -> list[Path]:
    """Return the files of the app that are deployed, relative to its folder, in order."""
    ignored = PathSpec.from_lines("gitignore", (root / ".funcignore").read_text().splitlines())
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        here = Path(folder).relative_to(root)
        names[:] = [name for name in names if name != "__pycache__" and not ignored.match_file(f"{here / name}/")]
        found += [here / name for name in files if not ignored.match_file(str(here / name))]
    return sorted(found)


def interpreter() -> str | None:
    """Return the interpreter whose bytecode Azure can use, None where there is none."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON_VERSION:
        return sys.executable
    finder = [ROOT / "scripts" / "find_python.sh", *filter(None, [os.environ.get("SECOND_PYTHON")])]
    done = subprocess.run(["sh", *map(str, finder)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def stage(root: Path, folder: Path) -> None:
    """Copy what is deployed into a folder. PackagingError."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(install(root, WORK / "dependencies"), folder / SITE_PACKAGES)
    for file in deployed_files(root):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
    (folder / BUILD_ID).write_text(content_digest(folder)[:12])


def content_digest(folder: Path) -> str:
    """Return a digest of all files of a folder, names and contents, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        digest.update(b"%d %d " % (len(name), len(content)) + name + content)
    return digest.hexdigest()


def compile_bytecode(folder: Path, python: str) -> None:
    """Compile everything. Azure mounts the package read-only: without bytecode each start compiles it all again.

    Unchecked: nobody changes a deployed file, so nobody need look whether one changed. PackagingError.
    """
    command = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    # A set of constants is stored in the order of its hashes.
    done = subprocess.run([*command, str(folder)], env={"PYTHONHASHSEED": "0"}, check=False)
    if done.returncode:
        raise PackagingError("some files do not compile: they are named above")


def write_zip(folder: Path, package: Path) -> int:
    """Write the package, return how many files it has."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    package.parent.mkdir(parents=True, exist_ok=True)
    half = package.with_suffix(".half")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(files, key=Path.as_posix):
            entry = zipfile.ZipInfo(file.as_posix(), _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (folder / file).read_bytes())
    half.replace(package)
    return len(files)


def build(root: Path, package: Path, *, require_bytecode: bool) -> None:
    """Build the package and tell about it. PackagingError."""
    folder = WORK / "app"
    stage(root, folder)
    if python := interpreter():
        compile_bytecode(folder, python)
    elif require_bytecode:
        raise PackagingError(f"there is no Python {PYTHON_VERSION} to compile bytecode with")
    else:
        print(f"NOTE: there is no Python {PYTHON_VERSION} here: the package has NO BYTECODE. Azure would compile all")
        print("NOTE: of it again at each cold start; scripts/deploy_package.sh refuses to deploy it.")
    files = write_zip(folder, package)
    megabytes = package.stat().st_size / 1e6
    if megabytes >= MAX_MEGABYTES:
        raise PackagingError(f"{package.name} has {megabytes:.1f} MB, it must stay below {MAX_MEGABYTES}")
    print(f"{package.relative_to(root)}: {megabytes:.1f} MB, {files} files")


def main() -> None:
    """Build the package; exit 1 with the reason when that is not possible."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require-bytecode", action="store_true", help="fail where there is no Python 3.13")
    parser.add_argument("--lock", action="store_true", help="first pin what requirements.txt requires in turn anew")
    arguments = parser.parse_args()
    try:
        if arguments.lock:
            lock(ROOT)
        build(ROOT, PACKAGE, require_bytecode=arguments.require_bytecode)
    except PackagingError as error:
        sys.exit(f"no package: {error}")


if __name__ == "__main__":
    main()
