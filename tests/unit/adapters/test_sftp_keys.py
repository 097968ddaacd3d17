"""INC-54: how the settings may give host keys and the private key."""

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared.adapters.sftp import _private_key
from shared.adapters.sftp_host_key import fingerprint, pinned_fingerprints
from shared.kernel.errors import ConfigurationError

KEYS: dict[str, PrivateKeyTypes] = {
    "Ed25519": Ed25519PrivateKey.generate(),
    "ECDSA": ec.generate_private_key(ec.SECP256R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
}
OPENSSH, PKCS1 = PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnDy17PBP+lHD57fsoHBwP54gtQ6hYKiLBzGcgw0/6N"
PRINT = fingerprint(b64decode(LINE.split()[1]))


def public_of(name: str) -> str:
    key = KEYS[name]
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()[1]


@pytest.mark.parametrize(
    ("name", "form"),
    [("Ed25519", OPENSSH), ("ECDSA", OPENSSH), ("RSA", OPENSSH), ("ECDSA", PKCS1), ("RSA", PKCS1)],
    ids=["Ed25519", "ECDSA", "RSA", "ECDSA as PEM", "RSA as PEM"],
)
@pytest.mark.parametrize("escape", [False, True], ids=["on lines", r"line ends as \n"])
def test_a_private_key_is_read(name: str, form: PrivateFormat, escape: bool) -> None:
    text = KEYS[name].private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    assert _private_key(text.replace("\n", "\\n") if escape else text).get_base64() == public_of(name)


def test_what_is_no_private_key_is_told_by_the_name_of_the_setting_and_not_shown() -> None:
    locked = KEYS["RSA"].private_bytes(Encoding.PEM, OPENSSH, BestAvailableEncryption(b"a passphrase")).decode()
    for text in (
        "no key at all",
        locked,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    ):
        with pytest.raises(ConfigurationError, match="setting SFTP_PRIVATE_KEY: is no private key") as refusal:
            _private_key(text)
        assert text not in refusal.value.message


@pytest.mark.parametrize(
    ("setting", "pinned"),
    [
        (LINE, [PRINT]),
        (f"sftp.example.com {LINE} a comment", [PRINT]),
        (PRINT, [PRINT]),
        (f"{PRINT}, {LINE},", [PRINT, PRINT]),
    ],
    ids=["a key", "a line of known_hosts", "a fingerprint", "several"],
)
def test_host_keys_are_pinned_as_keys_or_fingerprints(setting: str, pinned: list[str]) -> None:
    assert pinned_fingerprints(setting) == pinned


@pytest.mark.parametrize("setting", ["", ",", "ssh-ed25519", "SHA256:short", "MD5:aa:bb", "AAAA!"])
def test_what_is_no_host_key_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        pinned_fingerprints(setting)
