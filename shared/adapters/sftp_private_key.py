"""Private keys as they are kept in settings and vaults: OpenSSH's own form, PKCS#1, SEC 1 and PKCS#8 (RFC 5958)."""

import re
from io import StringIO
from typing import TYPE_CHECKING

from shared.kernel.errors import ConfigurationError, FieldProblem

if TYPE_CHECKING:
    from paramiko import PKey

SETTING = "SFTP_PRIVATE_KEY"
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_WIDTH = 64


def private_key(text: str) -> "PKey":
    """Read a private key of RSA, ECDSA (P-256, P-384, P-521) or Ed25519.

    Line ends may have become `\\n` in writing, or blanks. ConfigurationError says what is wrong with another one.
    """
    whole = text.replace("\\r", "").replace("\\n", "\n")
    found = _BLOCK.search(whole)
    if not found:
        raise _refused(_other_kind(whole))
    label, body = found.groups()
    if label.startswith("ENCRYPTED") or "ENCRYPTED" in body:
        raise _encrypted()
    packed = "".join(body.split())
    lines = [packed[start : start + _WIDTH] for start in range(0, len(packed), _WIDTH)]
    return _loaded("\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]), label)


def _loaded(pem: str, label: str) -> "PKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    is_openssh = label.startswith("OPENSSH")
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        key = load(pem.encode(), None)
        form = serialization.PrivateFormat.OpenSSH
        openssh = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    except TypeError:  # what both raise where a passphrase is missing
        raise _encrypted() from None
    except (ValueError, UnsupportedAlgorithm, LookupError, AttributeError):
        raise _refused(f"that the hub can read: a {label} of RSA, ECDSA or Ed25519 is expected") from None
    return _of_paramiko(openssh)


def _of_paramiko(openssh: str) -> "PKey":
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(StringIO(openssh))
        except (paramiko.SSHException, ValueError, LookupError):
            continue
    raise _refused("of RSA, ECDSA or Ed25519")


def _other_kind(text: str) -> str:
    if text.lstrip().startswith("PuTTY"):
        return "as OpenSSH writes it, but one of PuTTY: export it as OpenSSH key"
    if "PUBLIC KEY" in text or text.lstrip().startswith(("ssh-", "ecdsa-")):
        return "but a public one"
    return "in PEM: -----BEGIN ... PRIVATE KEY----- is expected"


def _encrypted() -> ConfigurationError:
    return _refused("without passphrase: write it without one, as the vault protects it")


def _refused(what: str) -> ConfigurationError:
    return ConfigurationError((FieldProblem(SETTING, f"is no private key {what}"),))
