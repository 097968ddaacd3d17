"""What somebody is called by different systems, made comparable (INC-42).

Systems write one identifier in several ways: in capitals, with a blank at the end, as a number, with full-width
characters, with leading zeros. All of them are one identifier here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from unicodedata import category, normalize

_INVISIBLE = ("Cc", "Cf")
"""Unicode categories of control and format characters, such as a zero-width space."""


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
    text = "".join(one for one in text if category(one) not in _INVISIBLE).strip()
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
    """Return identities from identifiers as they come; an address without `@` is taken for a name."""
    written = _comparable(addresses)
    mail = frozenset(one for one in written if "@" in one)
    return Identities(mail, _comparable(numbers), _comparable(names) | (written - mail))


def _comparable(identifiers: Iterable[object]) -> frozenset[str]:
    return frozenset(map(comparable, identifiers)) - {""}
