"""The deployment script against One Deploy's endpoints as Flex Consumption has them (a double of the site manager)."""

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from local.loopback_http import LoopbackHttp
from scripts.package import ROOT

SCRIPT = ROOT / "scripts" / "deploy_package.sh"
TOKEN = "an-access-token"
DEPLOYMENT = "0f3c1a52-1c1b-4f0e-9a55-6a2f6b1d2c11"
BUILD = "0123456789ab"
UNKNOWN: dict[str, Any] = {}
"""What the endpoint says of a deployment that it knows no more: 404."""
COMPLETE = (
    "host.json",
    "function_app.py",
    ".python_packages/lib/site-packages/azure/functions/__init__.py",
    "__pycache__/function_app.cpython-313.pyc",
)
AZURE_CLI = """#!/bin/sh
case "$*" in
*get-access-token*) echo {token} ;;
*defaultHostName*|*Repository*) echo {host} ;;
esac
"""


class Site:
    """A function app's site manager, and the app itself."""

    def __init__(self) -> None:
        self.publish_status = 202
        self.states: list[dict[str, Any]] = [{"status": 1}, {"status": 2}, {"status": 4, "complete": True}]
        self.builds: list[str] = []
        """What answers, one after the other, the last of them for good; nothing: nothing answers."""
        self.published: list[tuple[str, str, bytes]] = []
        self.server = LoopbackHttp(_handler(self))
        self.host = f"127.0.0.1:{self.server.port}"

    def next_build(self) -> str | None:
        return self.builds.pop(0) if len(self.builds) > 1 else next(iter(self.builds), None)

    def next_state(self) -> dict[str, Any]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._authorised():
                return
            site.published.append((self.path, self.headers["Content-Type"], body))
            accepted = site.publish_status == 202
            self._answer(site.publish_status, DEPLOYMENT if accepted else {"message": "what the endpoint says"})

        def do_GET(self) -> None:
            if self.path == "/api/v1/health/liveness":
                build = site.next_build()
                self._answer(200 if build else 503, {"data": {"build": build}})
            elif self._authorised():
                ours = self.path == f"/api/deployments/{DEPLOYMENT}"
                state = site.next_state() if ours else {"status": 4, "message": "the one before"}
                self._answer(200 if state else 404, state)

        def _authorised(self) -> bool:
            good = self.headers["Authorization"] == f"Bearer {TOKEN}"
            if not good:
                self._answer(401, {})
            return good

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    running.builds = [BUILD]
    with running.server:
        yield running


def package_of(folder: Path, *names: str) -> Path:
    package = folder / "hub.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for name in names:
            archive.writestr(name, os.urandom(1000))
        archive.writestr("build-id.txt", BUILD)
    return package


def deploy(
    folder: Path, site: Site, package: Path, *, token: str = TOKEN, wait: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder of its own, with an Azure CLI that knows the site."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "az").write_text(AZURE_CLI.format(token=token, host=site.host))
    (tools / "az").chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "DEPLOY_WAIT_SECONDS": str(wait), "DEPLOY_ANSWERS": "2"}
    command = [str(SCRIPT), "hub-rg", "hub-app", str(package)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_package_arrives_byte_for_byte_without_a_remote_build_and_is_kept(tmp_path: Path, site: Site) -> None:
    site.states = [{"status": 1}, {"status": 4}]
    package = package_of(tmp_path, *COMPLETE)
    done = deploy(tmp_path, site, package)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.published == [("/api/publish?RemoteBuild=false&Deployer=hub", "application/zip", package.read_bytes())]
    kept = list((tmp_path / "build/deployed/hub-app").iterdir())
    assert [one.read_bytes() for one in kept] == [package.read_bytes()]
    assert TOKEN not in done.stdout


def test_the_last_ten_are_kept(tmp_path: Path, site: Site) -> None:
    site.states = [{"status": 4}]
    kept = tmp_path / "build/deployed/hub-app"
    kept.mkdir(parents=True)
    for number in range(12):
        (kept / f"20250101T0000{number:02d}Z-abc.zip").write_text("")
    assert deploy(tmp_path, site, package_of(tmp_path, *COMPLETE)).returncode == 0
    names = sorted(one.name for one in kept.iterdir())
    assert len(names) == 10
    assert names[0] == "20250101T000003Z-abc.zip"


@pytest.mark.parametrize("missing", COMPLETE)
def test_what_is_no_package_is_not_sent(tmp_path: Path, site: Site, missing: str) -> None:
    done = deploy(tmp_path, site, package_of(tmp_path, *(name for name in COMPLETE if name != missing)))
    assert done.returncode == 1
    assert f"missing: {missing}" in done.stderr
    assert site.published == []


@pytest.mark.parametrize(
    ("states", "publish_status", "words"),
    [
        ([{"status": 3, "status_text": "no space"}], 202, "ended with status 3: no space"),
        ([{"status": -1, "status_text": "cancelled"}], 202, "ended with status -1: cancelled"),
        ([{"status": 5}], 202, "ended with status 5"),
        ([{"status": 1}], 202, "has not ended after 1 seconds (status 1, last answer 200)"),
        ([UNKNOWN], 202, "has not ended after 1 seconds (status unknown, last answer 404)"),
        ([{"status": 4}], 409, "answers 409: "),
        ([{"status": 4}], 403, "needs Website Contributor"),
    ],
    ids=["failed", "cancelled", "replaced", "hangs", "never known", "conflict", "forbidden"],
)
def test_a_deployment_that_comes_to_nothing_says_why(
    tmp_path: Path, site: Site, states: list[dict[str, Any]], publish_status: int, words: str
) -> None:
    site.states, site.publish_status = states, publish_status
    done = deploy(tmp_path, site, package_of(tmp_path, *COMPLETE))
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "build").exists()


def test_a_deployment_that_was_at_it_and_is_known_no_more_has_ended(tmp_path: Path, site: Site) -> None:
    """azd and the Azure CLI take a 404 after that as the end; what came of it, the app itself says."""
    site.states = [{"status": 2}, UNKNOWN]
    done = deploy(tmp_path, site, package_of(tmp_path, *COMPLETE))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "build/deployed/hub-app").iterdir())) == 1


def test_what_answers_must_be_what_was_deployed(tmp_path: Path, site: Site) -> None:
    """An update replaces one instance after the other: old and new answer in turns."""
    site.states, site.builds = [{"status": 4}], ["the old one", BUILD, "the old one", BUILD, BUILD, "never asked"]
    done = deploy(tmp_path, site, package_of(tmp_path, *COMPLETE), wait=9)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.builds == ["never asked"], "two answers in a row are wanted here"
    assert f"answers with build {BUILD}" in done.stdout


def test_an_app_that_stays_what_it_was_is_told(tmp_path: Path, site: Site) -> None:
    site.states, site.builds = [{"status": 4}], ["the old one"]
    done = deploy(tmp_path, site, package_of(tmp_path, *COMPLETE))
    assert done.returncode == 1
    assert f"STILL ANSWERS WITH BUILD the old one, which is not {BUILD}" in done.stderr


def test_an_app_that_does_not_answer_afterwards_is_told_with_the_way_back(tmp_path: Path, site: Site) -> None:
    site.states, site.builds = [{"status": 4}], []
    done = deploy(tmp_path, site, package_of(tmp_path, *COMPLETE))
    assert done.returncode == 1
    assert "THE APP DOES NOT ANSWER" in done.stderr
    assert "scripts/deploy_package.sh hub-rg hub-app build/deployed/hub-app/" in done.stderr
