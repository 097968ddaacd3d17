"""Pinned host keys of SFTP servers (INC-54)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

_KIND = re.compile(r"(?:ssh-|ecdsa-|sk-)[\w.@-]+")
_RSA = "ssh-rsa"
_RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256")
"""How the key of that kind may sign (RFC 8332)."""


@dataclass(frozen=True)
class PinnedKeys:
    """Fingerprints, and the kinds of keys such as `ssh-rsa` where they are known: a fingerprint alone has none."""

    fingerprints: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a public key as OpenSSH shows it: `SHA256:` and base64 without padding."""
    return f"SHA256:{b64encode(sha256(key).digest()).decode().rstrip('=')}"


def pinned_fingerprints(setting: str) -> Sequence[str]:
    """Return the fingerprints that a setting names; each a fingerprint or a key as in known_hosts.

    Commas or line ends stand between them. ValueError for one that is neither.
    """
    found = [_fingerprint_of(one) for one in _pins(setting)]
    if not found:
        raise ValueError("must name a host key: ssh-ed25519 AAAA... or SHA256:...")
    return found


def pinned_keys(setting: str) -> PinnedKeys:
    """Return what a setting says of host keys, kinds in its order. Errors as `pinned_fingerprints`."""
    return PinnedKeys(tuple(pinned_fingerprints(setting)), tuple(dict.fromkeys(_KIND.findall(setting))))


def algorithms_in_order(known: Sequence[str], kinds: Sequence[str], without: Sequence[str]) -> list[str]:
    """Return the host key algorithms to ask a server for: of pinned kinds first, in their order (RFC 4253, 7.1).

    `known` are all that the client has, `without` the kinds of keys that need not be shown again.
    """
    left = [one for one in known if kind_of(one) not in without]
    wanted = [one for kind in kinds for one in left if kind_of(one) == kind]
    return [*wanted, *(one for one in left if one not in wanted)]


def kind_of(algorithm: str) -> str:
    """Return the kind of key that a signature algorithm belongs to."""
    return _RSA if algorithm in _RSA_ALGORITHMS else algorithm


def _pins(setting: str) -> Iterator[str]:
    """Yield what stands between commas and line ends; the hosts of a line of known_hosts have commas, too."""
    for line in setting.replace("\\n", "\n").splitlines():
        hosts: list[str] = []
        for part in (one.strip() for one in line.split(",")):
            if part and not part.startswith("#"):
                if _has_hosts(part):
                    hosts = []
                elif hosts or not _is_pin(part):
                    hosts.append(part)
                    continue
                yield part
        yield from hosts


def _is_pin(part: str) -> bool:
    return part.startswith("SHA256:") or " " in part


def _has_hosts(part: str) -> bool:
    fields = part.split()
    return len(fields) > 2 and bool(_KIND.fullmatch(fields[1]))  # hosts, kind, key


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
