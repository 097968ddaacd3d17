"""INC-54: a file lies on the SFTP server whole or not at all. Runs on a real OpenSSH server and on the sandbox's."""

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any, TypeVar

import pytest

from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.adapters.sftp import SftpServer as Address
from shared.adapters.sftp import SftpTransfer
from shared.kernel.clock import utc_now
from shared.kernel.errors import ConfigurationError, DataRefused, NetworkFailure, PartnerRefused, PartnerUnavailable
from tests.contract.sftp_servers import PATH, Server, embedded, new_key, open_ssh, with_password
from tests.fakes.secrets import fixed

Result = TypeVar("Result")
NAME = "0194a0b4-b1f4-7a13-9d8a-5c93fbf6c4ba.csv"
CONTENT = Random(54).randbytes(300_000)


@pytest.fixture(params=["openssh", "sandbox"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "sandbox":
        with embedded() as small:
            yield small
        return
    if shutil.which("sshd", path=PATH) is None:
        reason = "sshd is not installed: make system-packages installs it, as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_ssh() as real:
        yield real


class Closed:
    """A circuit that never opens."""

    def call(self, call: Callable[[], Result]) -> Result:
        return call()


def transfer(address: Address, retries: int = 0) -> SftpTransfer:
    policy = RetryPolicy(retries, 0, 0)
    return SftpTransfer(address, Retry(policy, RetryBudget(utc_now), sleep=lambda _: None), Closed())


def lying_in(server: Server) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in server.folder.iterdir()}


@contextmanager
def cut_after(address: Address, size: int) -> Iterator[Address]:
    """Give an address whose first connection breaks after so many bytes of ours; the following ones hold."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = [size]

    def pump(source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        try:
            while piece := source.recv(16_384):
                if counted and len(piece) > left[0]:
                    target.sendall(piece[: left[0]])
                    break
                left[0] -= len(piece) if counted else 0
                target.sendall(piece)
        except OSError:
            return
        finally:
            for one in (source, target):
                one.close()

    def serve() -> None:
        counted = True
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            onward = socket.create_connection((address.host, address.port))
            for ends, is_ours in (((client, onward), counted), ((onward, client), False)):
                threading.Thread(target=pump, args=ends, kwargs={"counted": is_ours}, daemon=True).start()
            counted = False

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield replace(address, port=listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("content", [b"", b"EmployeeNumber\r\n", CONTENT], ids=["empty", "small", "300 kB"])
def test_a_file_lies_there_whole_and_alone(server: Server, content: bytes) -> None:
    delivered = transfer(server.address).deliver(NAME, content)
    assert (delivered.size, delivered.sha256) == (len(content), sha256(content).hexdigest())
    assert delivered.path == f"{server.address.directory}/{NAME}"
    assert lying_in(server) == {NAME: content}


def test_a_repeat_is_the_same_file_untouched(server: Server) -> None:
    first = transfer(server.address).deliver(NAME, CONTENT)
    before = (server.folder / NAME).stat()
    assert transfer(server.address).deliver(NAME, CONTENT) == first
    after = (server.folder / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert lying_in(server) == {NAME: CONTENT}


def test_a_server_says_that_it_lets_us_in_and_nothing_is_written(server: Server) -> None:
    """INC-72."""
    transfer(server.address).probe()
    assert lying_in(server) == {}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"private_key": fixed(new_key().private)}, ConfigurationError),
        ({"host_keys": ("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",)}, ConfigurationError),
        ({"directory": "/elsewhere"}, PartnerRefused),
        ({"port": 9}, NetworkFailure),
    ],
    ids=["another key", "another host key", "no such folder", "nobody there"],
)
def test_a_server_that_would_take_no_file_is_found_out_before(
    server: Server, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        transfer(replace(server.address, **change)).probe()


def test_another_content_under_the_name_is_left_alone_and_told(server: Server) -> None:
    (server.folder / NAME).write_bytes(b"somebody else's")
    with pytest.raises(DataRefused, match="another content"):
        transfer(server.address).deliver(NAME, CONTENT)
    assert lying_in(server) == {NAME: b"somebody else's"}


@pytest.mark.parametrize("size", [100_000, 250_000], ids=["a third", "most of it"])
def test_an_upload_that_is_cut_off_shows_no_file_and_the_next_one_is_whole(server: Server, size: int) -> None:
    with cut_after(server.address, size) as torn:
        with pytest.raises(PartnerUnavailable):
            transfer(torn).deliver(NAME, CONTENT)
        left = lying_in(server)
        assert NAME not in left
        assert all(len(content) < len(CONTENT) for content in left.values())
        transfer(torn).deliver(NAME, CONTENT)
    assert lying_in(server) == {NAME: CONTENT}


def test_a_connection_that_breaks_is_retried(server: Server) -> None:
    with cut_after(server.address, 200_000) as torn:
        transfer(torn, retries=1).deliver(NAME, CONTENT)
    assert lying_in(server) == {NAME: CONTENT}


def test_two_at_once_leave_one_whole_file(server: Server) -> None:
    """A worker whose lease ran out may still be at it."""
    together = threading.Barrier(2)

    def deliver(_number: int) -> str:
        together.wait()
        return transfer(server.address, retries=3).deliver(NAME, CONTENT).sha256

    with ThreadPoolExecutor(2) as workers:
        assert set(workers.map(deliver, range(2))) == {sha256(CONTENT).hexdigest()}
    assert lying_in(server) == {NAME: CONTENT}


def test_what_dead_attempts_left_is_removed_and_nothing_else(server: Server) -> None:
    (server.folder / f"{NAME}.0badcafe.part").write_bytes(CONTENT[:1000])
    (server.folder / "another.csv.0badcafe.part").write_bytes(b"of another export")
    transfer(server.address).deliver(NAME, CONTENT)
    assert lying_in(server) == {NAME: CONTENT, "another.csv.0badcafe.part": b"of another export"}


def test_a_wrong_host_key_is_refused_and_no_credential_is_sent(server: Server) -> None:
    other = replace(server.address, host_keys=("SHA256:" + "A" * 43,))
    with pytest.raises(ConfigurationError, match="SFTP_HOST_KEY") as refusal:
        transfer(other, retries=3).deliver(NAME, CONTENT)
    assert server.address.host_keys[0] in refusal.value.message
    assert server.logins() == []
    assert lying_in(server) == {}


def test_a_host_key_that_is_being_rotated_is_accepted(server: Server) -> None:
    both = replace(server.address, host_keys=("SHA256:" + "A" * 43, *server.address.host_keys))
    assert transfer(both).deliver(NAME, CONTENT).size == len(CONTENT)


def test_a_wrong_key_is_told_by_the_names_of_the_settings(server: Server) -> None:
    stranger = replace(server.address, private_key=fixed(new_key().private))
    with pytest.raises(ConfigurationError) as refusal:
        transfer(stranger, retries=3).deliver(NAME, CONTENT)
    assert [one.field for one in refusal.value.problems] == ["SFTP_USERNAME, SFTP_PRIVATE_KEY, SFTP_PASSWORD"]
    assert len(server.logins()) >= 1


def test_a_password_lets_in_and_a_wrong_one_is_told_without_being_shown(server: Server) -> None:
    if not server.password:
        pytest.skip("sshd checks passwords only as root")
    transfer(with_password(server)).deliver(NAME, CONTENT)
    assert lying_in(server) == {NAME: CONTENT}
    wrong = replace(with_password(server), password=fixed("not the password"))
    with pytest.raises(ConfigurationError) as refusal:
        transfer(wrong).deliver(NAME, CONTENT)
    assert "SFTP_PASSWORD" in refusal.value.message
    assert "not the password" not in refusal.value.message


def test_a_missing_folder_is_told(server: Server) -> None:
    elsewhere = replace(server.address, directory=f"{server.address.directory}/nowhere")
    with pytest.raises(PartnerRefused, match="SFTP_DIRECTORY is not on the server") as refusal:
        transfer(elsewhere, retries=3).deliver(NAME, CONTENT)
    assert refusal.value.status == 404


def test_a_folder_that_is_closed_to_us_is_told(server: Server) -> None:
    server.forbid()
    with pytest.raises(PartnerRefused, match="SFTP_DIRECTORY") as refusal:
        transfer(server.address, retries=3).deliver(NAME, CONTENT)
    assert refusal.value.status == 403
    server.folder.chmod(0o755)


def test_nobody_listening_is_a_passing_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = Address("127.0.0.1", port, "hub", ("SHA256:" + "A" * 43,), "/incoming", password=fixed("x"), timeout=2)
    with pytest.raises(NetworkFailure):
        transfer(address, retries=1).deliver(NAME, CONTENT)


def test_a_server_that_says_nothing_is_a_passing_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        address = Address(
            "127.0.0.1", port, "hub", ("SHA256:" + "A" * 43,), "/incoming", password=fixed("x"), timeout=0.3
        )
        with pytest.raises(PartnerUnavailable):
            transfer(address).deliver(NAME, CONTENT)


@pytest.mark.parametrize("name", ["", ".", "..", "../other.csv", "a/b.csv"])
def test_a_path_is_no_file_name(name: str) -> None:
    address = Address("127.0.0.1", 1, "hub", ("SHA256:" + "A" * 43,), "/incoming", password=fixed("x"))
    with pytest.raises(ValueError, match="file name"):
        transfer(address).deliver(name, CONTENT)
