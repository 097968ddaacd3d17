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
OPENSSH, PKCS1, PKCS8 = PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnDy17PBP+lHD57fsoHBwP54gtQ6hYKiLBzGcgw0/6N"
PRINT = fingerprint(b64decode(LINE.split()[1]))


def public_of(name: str) -> str:
    key = KEYS[name]
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()[1]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Ed25519", OPENSSH),
        ("ECDSA", OPENSSH),
        ("RSA", OPENSSH),
        ("ECDSA", PKCS1),
        ("RSA", PKCS1),
        ("Ed25519", PKCS8),
        ("ECDSA", PKCS8),
        ("RSA", PKCS8),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\\n", "\r\n", " "], ids=repr)
def test_a_private_key_is_read(name: str, form: PrivateFormat, line_end: str) -> None:
    text = KEYS[name].private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    assert _private_key(text.replace("\n", line_end)).get_base64() == public_of(name)


def test_a_key_after_its_parameters_is_read() -> None:
    """As `openssl ecparam -genkey` writes it."""
    text = KEYS["ECDSA"].private_bytes(Encoding.PEM, PKCS1, NoEncryption()).decode()
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert _private_key(parameters + text).get_base64() == public_of("ECDSA")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEYS["RSA"].private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"x")).decode(), "without passphrase")
        for form in (OPENSSH, PKCS1, PKCS8)
    ]
    + [
        (ec.generate_private_key(ec.SECP256K1()).private_bytes(Encoding.PEM, PKCS8, NoEncryption()).decode(), "ECDSA"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "export it as OpenSSH key"),
        (LINE, "but a public one"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "but a public one"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "that the hub can read"),
        ("", "in PEM"),
    ],
)
def test_what_is_wrong_with_a_private_key_is_said(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SFTP_PRIVATE_KEY: is no private key .*{said}"):
        _private_key(text)


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
        (f"{LINE}\n{PRINT}\\n\n", [PRINT, PRINT]),
        (f"sftp.example.com,192.0.2.1,[::1]:22 {LINE}", [PRINT]),
        (f"a.example.com,b.example.com {LINE}, {PRINT}", [PRINT, PRINT]),
    ],
    ids=["a key", "a line of known_hosts", "a fingerprint", "several", "on lines", "hosts", "hosts and more"],
)
def test_host_keys_are_pinned_as_keys_or_fingerprints(setting: str, pinned: list[str]) -> None:
    assert pinned_fingerprints(setting) == pinned


@pytest.mark.parametrize(
    "setting",
    ["", ",", "ssh-ed25519", "SHA256:short", "MD5:aa:bb", "AAAA!", f"MD5:aa:bb,{PRINT}", f"{PRINT},MD5:aa:bb"],
)
def test_what_is_no_host_key_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        pinned_fingerprints(setting)
