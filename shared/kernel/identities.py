"""What somebody is called by different systems, made comparable (INC-42).

Systems write one identifier in several ways: in capitals, with a blank at the end, as a number, with full-width
characters, with leading zeros. All of them are one identifier here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from unicodedata import category, normalize

_INVISIBLE = ("Cc", "Cf")
"""Unicode categories of control and format characters, such as a zero-width space."""
_IGNORABLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""What else is not shown, such as a variation selector (Unicode, 5.21, Default_Ignorable_Code_Point)."""
_SCHEME = re.compile(r"^(?:mailto|smtp|sip):\s*")
"""What directories write in front of an address, in lower case."""
_NAMED = re.compile(r"[^<>]*<([^<>]+@[^<>]+)>")
"""An address after the name of whose it is: `Ada Abel <ada@retail.example>` (RFC 5322, 3.4)."""
_GUEST = re.compile(r"(.+)_([^_@]+)#ext#@.*")
"""Microsoft Entra's user name of a guest: their address with `_` for `@`. It looks like an address and is none."""


def comparable(identifier: object) -> str:
    """Return an identifier in the form in which it is compared: "" for what is none.

    Compatibility characters and case are folded (Unicode, 3.13, D146), invisible characters and surrounding blanks
    removed, and so are the leading zeros of a number; a number equals its text.
    """
    if isinstance(identifier, float) and identifier.is_integer():
        identifier = int(identifier)
    if isinstance(identifier, bool) or not isinstance(identifier, str | int | float):
        return ""
    text = normalize("NFKC", normalize("NFKC", str(identifier)).casefold())
    text = "".join(one for one in _IGNORABLE.sub("", text) if category(one) not in _INVISIBLE).strip()
    return text.lstrip("0") or "0" if text.isdecimal() else text


@dataclass(frozen=True)
class Identities:
    """Everything that a person is known to be called, by kind, each in its comparable form. Made by `identities_of`."""

    addresses: frozenset[str] = frozenset()
    """E-mail addresses."""
    numbers: frozenset[str] = frozenset()
    """Employee IDs and employee numbers."""
    names: frozenset[str] = frozenset()
    """User names, object IDs, subjects of tokens: a person has several, and no two systems need to agree on one."""

    @property
    def everything(self) -> frozenset[str]:
        """Every identifier, whatever its kind: systems put an employee number where others have a user ID."""
        return self.addresses | self.numbers | self.names

    def __iter__(self) -> Iterator[str]:
        """Yield every identifier once."""
        return iter(self.everything)

    def __or__(self, other: "Identities") -> "Identities":
        """Return what either is called."""
        return Identities(self.addresses | other.addresses, self.numbers | other.numbers, self.names | other.names)

    def share(self, other: "Identities") -> bool:
        """Tell whether one identifier at least is common to both: then both are one person."""
        return not self.everything.isdisjoint(other.everything)

    def differ(self, other: "Identities") -> bool:
        """Tell whether both are known to be two persons: nothing is common, and one kind at least can be compared.

        Names prove nothing: somebody's user name in one system is another one than in the next.
        """
        compared = (self.addresses and other.addresses) or (self.numbers and other.numbers)
        return bool(compared) and not self.share(other)


def identities_of(
    *, addresses: Iterable[object] = (), numbers: Iterable[object] = (), names: Iterable[object] = ()
) -> Identities:
    """Return identities from identifiers as they come; an address without `@`, or of a guest, is taken for a name."""
    written = frozenset(map(_bare, _comparable(addresses)))
    mail = frozenset(one for one in written if "@" in one and "#ext#" not in one)
    called = frozenset(map(_bare, _comparable(names))) | (written - mail)
    homes = (found.expand(r"\1@\2") for one in called if (found := _GUEST.fullmatch(one)))
    return Identities(mail, _comparable(numbers), called | frozenset(map(_bare, homes)))


def _comparable(identifiers: Iterable[object]) -> frozenset[str]:
    return frozenset(map(comparable, identifiers)) - {""}


def _bare(identifier: str) -> str:
    """Return an address without what may be written around it, its domain in Unicode; anything else as it is."""
    if "@" not in identifier:
        return identifier
    named = _NAMED.fullmatch(identifier)
    address = _SCHEME.sub("", named[1] if named else identifier).strip().rstrip(".")
    mailbox, _, domain = address.rpartition("@")
    try:
        return f"{mailbox}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:  # in Unicode already, or no domain
        return address
