"""INC-54: SFTP as OpenSSH's own client speaks it, against sshd configured as servers of partners are."""

import os
import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from shared.adapters.sftp_host_key import fingerprint
from shared.kernel.errors import ConfigurationError, ContractBroken, CredentialsRefused, DataRefused, PartnerRefused
from shared.kernel.file_transfer import DeliveredFile
from tests.contract.sftp_servers import NEW_KEYS, PATH, OpenSsh, Options, new_key, open_ssh
from tests.contract.test_sftp_contract import CONTENT, NAME, lying_in, transfer
from tests.fakes.secrets import fixed

BOTH = Options(methods="publickey,password")


@contextmanager
def serving(options: Options) -> Iterator[OpenSsh]:
    if shutil.which("sshd", path=PATH) is None:
        reason = "sshd is not installed: make system-packages installs it, as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_ssh(options) as server:
        yield server


@pytest.fixture
def wanting_both() -> Iterator[OpenSsh]:
    with serving(BOTH) as server:
        if not server.password:
            pytest.skip("sshd checks passwords only as root")
        yield server


@pytest.mark.parametrize("named", [True, False], ids=["as a key", "as a fingerprint"])
@pytest.mark.parametrize("kind", NEW_KEYS)
def test_the_pinned_key_is_found_among_keys_of_all_kinds(kind: str, named: bool) -> None:
    """Any OpenSSH has one of each kind after an upgrade; the client asks for the one that it knows."""
    keys = {one: new_key(one) for one in NEW_KEYS}
    with serving(Options(more_host_keys=tuple(one.private for one in keys.values()))) as server:
        pinned = fingerprint(b64decode(keys[kind].public.split()[1]))
        address = replace(server.address, host_keys=(pinned,), host_key_kinds=(kind,) if named else ())
        if kind == "ssh-ed25519":  # sshd has two of that kind and shows the first
            address = replace(address, host_keys=(pinned, *server.address.host_keys))
        assert transfer(address).deliver(NAME, CONTENT).size == len(CONTENT)
        transfer(address).probe()
        stranger = replace(address, host_keys=("SHA256:" + "A" * 43,))
        logins = len(server.logins())
        with pytest.raises(ConfigurationError, match=r"SFTP_HOST_KEY: the server shows SHA256:.* and SHA256:"):
            transfer(stranger).deliver(NAME, CONTENT)
        assert len(server.logins()) == logins, "no credential is sent"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["PKCS#8", "PEM"])
@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_a_key_as_openssl_writes_it_lets_in(kind: str, form: PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(ec.SECP384R1())
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    with serving(Options()) as server:
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        (server.folder.parent / "authorized_keys").write_text(public)
        transfer(replace(server.address, private_key=fixed(text))).deliver(NAME, CONTENT)
        assert lying_in(server) == {NAME: CONTENT}


@pytest.mark.parametrize("methods", ["publickey,password", "password,publickey"])
def test_key_and_password_are_both_shown_where_both_are_wanted(methods: str) -> None:
    with serving(Options(methods=methods)) as server:
        if not server.password:
            pytest.skip("sshd checks passwords only as root")
        both = replace(server.address, password=fixed(server.password))
        transfer(both).deliver(NAME, CONTENT)
        transfer(both).probe()
        assert lying_in(server) == {NAME: CONTENT}


def test_a_password_that_is_asked_for_in_a_dialogue_is_given() -> None:
    """keyboard-interactive (RFC 4256), as servers with PAM ask for the second factor."""
    with serving(Options(methods="publickey,keyboard-interactive", pam=True)) as server:
        if not server.password:
            pytest.skip("sshd checks passwords only as root")
        transfer(replace(server.address, password=fixed(server.password))).deliver(NAME, CONTENT)
        assert lying_in(server) == {NAME: CONTENT}
        wrong = replace(server.address, password=fixed("not the password"))
        with pytest.raises(CredentialsRefused, match="SFTP_PASSWORD: the server accepts SFTP_PRIVATE_KEY"):
            transfer(wrong).probe()


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({}, "SFTP_PASSWORD"),
        ({"password": fixed("not the password")}, "SFTP_PASSWORD"),
        ({"private_key": fixed(new_key().private), "password": fixed("x")}, "SFTP_PRIVATE_KEY"),
    ],
    ids=["no password", "a wrong password", "a wrong key"],
)
def test_a_factor_that_is_missing_or_wrong_is_told_by_its_setting_and_not_retried(
    wanting_both: OpenSsh, change: dict[str, Any], setting: str
) -> None:
    with pytest.raises(CredentialsRefused) as refusal:
        transfer(replace(wanting_both.address, **change), retries=3).deliver(NAME, CONTENT)
    assert setting in refusal.value.problems[0].field
    assert "not the password" not in refusal.value.message
    assert lying_in(wanting_both) == {}


def test_a_password_alone_is_no_login_where_the_key_is_wanted_as_well(wanting_both: OpenSsh) -> None:
    alone = replace(wanting_both.address, private_key=None, password=fixed(wanting_both.password))
    with pytest.raises(CredentialsRefused):
        transfer(alone).probe()


@pytest.mark.parametrize(
    "forbidden",
    [
        ("posix-rename",),
        ("setstat", "fsetstat"),
        ("stat", "lstat", "fstat"),
        ("opendir", "readdir"),
        ("remove",),
        ("read",),
        ("read", "fstat"),
        ("read", "stat", "lstat", "fstat", "opendir", "remove", "posix-rename"),
    ],
    ids=",".join,
)
def test_a_server_that_forbids_what_is_not_needed_gets_the_file_once(forbidden: tuple[str, ...]) -> None:
    with serving(Options(forbidden=forbidden)) as server:
        recorded: list[str] = []
        carrier = transfer(server.address)
        carrier.probe()
        carrier.deliver(NAME, CONTENT, before_rename=recorded.append)
        assert lying_in(server) == {NAME: CONTENT}
        [part] = recorded
        again = carrier.deliver(NAME, CONTENT, part=part, before_rename=recorded.append)
        assert (again.size, again.taken, recorded) == (len(CONTENT), False, [part])
        assert lying_in(server) == {NAME: CONTENT}


def test_a_server_without_any_rename_is_told() -> None:
    with serving(Options(forbidden=("posix-rename", "rename"))) as server:
        with pytest.raises(PartnerRefused, match="does not let us rename"):
            transfer(server.address, retries=2).deliver(NAME, CONTENT)
        assert NAME not in lying_in(server)


def test_where_reading_is_forbidden_another_size_under_the_name_is_left_alone() -> None:
    with serving(Options(forbidden=("read",))) as server:
        (server.folder / NAME).write_bytes(b"somebody else's")
        with pytest.raises(DataRefused, match="another content"):
            transfer(server.address).deliver(NAME, CONTENT)
        assert lying_in(server) == {NAME: b"somebody else's"}


def test_text_before_the_protocol_is_told_and_not_retried() -> None:
    """Here a greeting, or what nologin says of an account that has no shell."""
    greeting = Options(command="/bin/echo Welcome to the file exchange")
    with serving(greeting) as server, pytest.raises(ContractBroken, match="does not speak SFTP"):
        transfer(server.address, retries=2).deliver(NAME, CONTENT)


def test_a_file_that_is_gone_after_it_was_recorded_was_taken() -> None:
    with serving(Options()) as server:
        recorded: list[str] = []
        carrier = transfer(server.address)
        carrier.deliver(NAME, CONTENT, before_rename=recorded.append)
        (server.folder / NAME).unlink()
        again = carrier.deliver(NAME, CONTENT, part=recorded[0], before_rename=recorded.append)
        assert again == DeliveredFile(again.path, again.size, again.sha256, taken=True)
        assert (lying_in(server), len(recorded)) == ({}, 1)


def test_a_file_that_was_recorded_and_not_renamed_is_renamed() -> None:
    with serving(Options()) as server:
        part = f"{NAME}.0badcafe.part"
        (server.folder / part).write_bytes(CONTENT)
        os.chown(server.folder / part, server.folder.stat().st_uid, -1)
        path = f"{server.address.directory}/{part}"
        assert not transfer(server.address).deliver(NAME, CONTENT, part=path).taken
        assert lying_in(server) == {NAME: CONTENT}


def test_a_folder_that_is_gone_is_not_taken_for_a_file_that_was_taken() -> None:
    with serving(Options()) as server:
        missing = replace(server.address, directory=f"{server.address.directory}/gone")
        with pytest.raises(PartnerRefused, match="SFTP_DIRECTORY is not on the server"):
            transfer(missing).deliver(NAME, CONTENT, part=f"{missing.directory}/{NAME}.0badcafe.part")


@pytest.mark.parametrize("folder", ["a b", "Pr\u00e4mien", "a'b\"c", "*?[x]", "trailing/"])
def test_a_folder_may_have_any_name(folder: str) -> None:
    with serving(Options()) as server:
        inside = server.folder / folder.rstrip("/")
        inside.mkdir()
        os.chown(inside, server.folder.stat().st_uid, -1)
        address = replace(server.address, directory=f"{server.address.directory}/{folder}")
        assert transfer(address).deliver(NAME, CONTENT).path == f"{server.folder}/{folder.rstrip('/')}/{NAME}"
        assert [file.name for file in inside.iterdir()] == [NAME]


def test_names_of_other_files_that_are_no_text_fail_nothing() -> None:
    with serving(Options()) as server:
        (server.folder / os.fsdecode(b"Pr\xe4mien.csv")).write_bytes(b"of somebody else")
        assert transfer(server.address).deliver(NAME, CONTENT).size == len(CONTENT)
        assert (server.folder / NAME).read_bytes() == CONTENT
