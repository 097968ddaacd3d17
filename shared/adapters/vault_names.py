"""Names of secrets in a vault, which may hold letters, digits and hyphens alone, and in which case does not count.

    integrations/default/erp/client-secret  ->  integrations--default--erp--client-secret

Lower-case letters and digits stand for themselves, and so does a hyphen between two of them; a slash is two hyphens;
anything else is, byte for byte of its UTF-8, three hyphens and two hexadecimal digits (`_` is `---5f`, `A` is `---41`).
Two paths never have the same name: `path_of` reads it back.
"""

import re

LONGEST = 127
"""Characters that Key Vault allows in a name."""
_PLAIN = re.compile(r"(?<=[0-9a-z])-(?=[0-9a-z])|[0-9a-z]")
_TOKEN = re.compile(r"---([0-9a-f]{2})|(--)|([0-9a-z]|-)")


def vault_name(path: str) -> str:
    """Return the name of the secret with this path. ValueError when it would be too long, or a part is empty."""
    if not all(path.split("/")):
        raise ValueError("a part of the path is empty")
    name = "".join(_written(path, at) for at in range(len(path)))
    if len(name) > LONGEST:
        raise ValueError(f"its name in a vault would have {len(name)} characters, {LONGEST} are allowed")
    return name


def path_of(name: str) -> str:
    """Return the path that a name stands for."""
    pieces = []
    for escaped, slash, plain in _TOKEN.findall(name):
        pieces.append(bytes.fromhex(escaped) if escaped else b"/" if slash else plain.encode())
    return b"".join(pieces).decode()


def _written(path: str, at: int) -> str:
    character = path[at]
    if character == "/":
        return "--"
    if _PLAIN.match(path, at):
        return character
    return "".join(f"---{byte:02x}" for byte in character.encode())
