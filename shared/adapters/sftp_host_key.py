"""Pinned host keys of SFTP servers (INC-54)."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a public key as OpenSSH shows it: `SHA256:` and base64 without padding."""
    return f"SHA256:{b64encode(sha256(key).digest()).decode().rstrip('=')}"


def pinned_fingerprints(setting: str) -> Sequence[str]:
    """Return the fingerprints that a setting names, commas between; each a fingerprint or a key as in known_hosts.

    ValueError for one that is neither.
    """
    found = [_fingerprint_of(part.strip()) for part in setting.split(",") if part.strip()]
    if not found:
        raise ValueError("must name a host key: ssh-ed25519 AAAA... or SHA256:...")
    return found


def _fingerprint_of(text: str) -> str:
    if text.startswith("SHA256:"):
        if len(b64decode(f"{text.removeprefix('SHA256:')}=", validate=True)) != 32:
            raise ValueError("a fingerprint is SHA256: and 43 characters of base64")
        return text
    fields = text.split()
    # `host type key comment`, `type key comment`: the key begins with the length of its type, so with AAAA.
    keys = [field for field in fields if field.startswith("AAAA")]
    if not keys:
        raise ValueError("must be a host key: ssh-ed25519 AAAA... or SHA256:...")
    return fingerprint(b64decode(keys[0], validate=True))
