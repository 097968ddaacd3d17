"""Entity tags and the preconditions that name them (RFC 9110, 8.8.3 and 13.1).

A header is a list of tags, or `*` for whatever there is. The tags of the hub are made of a resource's version, and
compared weakly: a tag is the same with and without `W/`. RFC 9110 wants a strong comparison for If-Match, by which the
weak tags of RFC 7644 (3.14: `If-Match: W/"..."`) would never match anything.
"""

import re
from dataclasses import dataclass

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


@dataclass(frozen=True)
class Preconditions:
    """The headers If-Match and If-None-Match as they came, None where absent."""

    if_match: str | None = None
    if_none_match: str | None = None

    def allow_change(self, tag: str) -> bool:
        """Tell whether a resource with this tag may be changed; never by a header that is no list of tags."""
        if self.if_match is not None and not names(self.if_match, tag):
            return False
        return self.if_none_match is None or not (names(self.if_none_match, tag) or not is_sound(self.if_none_match))

    def is_known(self, tag: str) -> bool:
        """Tell whether the caller has the resource with this tag already, so that it need not be sent (304)."""
        return self.if_none_match is not None and names(self.if_none_match, tag)


ANY = Preconditions()
"""No precondition at all."""


def names(header: str, tag: str) -> bool:
    """Tell whether a header names a tag: `*`, or one of its list. A header that is no list of tags names none."""
    return header.strip() == "*" or _opaque(tag) in tags_of(header)


def tags_of(header: str) -> frozenset[str]:
    """Return the tags of a header's list, without `W/`; none for `*` and for what is no list of tags."""
    return frozenset(map(_opaque, re.findall(_TAG, header))) if is_sound(header) else frozenset()


def is_sound(header: str) -> bool:
    """Tell whether a header is `*` or a list of tags."""
    return header.strip() == "*" or _LIST.fullmatch(header) is not None


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
