"""What a partner's own words mean: the status of what it was sent, or why it does not take it now.

Words differ by partner in case, blanks, hyphens and underscores; only letters and digits count. A word that is not in
the table means nothing: whoever reads it must not guess.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum


class Verdict(Enum):
    """What a status word says about what was sent."""

    TAKEN = "taken"
    """The partner has dealt with it; what became of its parts stands beside the status."""
    PENDING = "pending"
    """The partner is still at it: ask again under the same key."""
    FAILED = "failed"
    """The partner has not taken it, and says that it will not."""


_WORDS: Mapping[Verdict, str] = {
    Verdict.TAKEN: """accepted acknowledged approved booked complete completed confirmed created done duplicate finished
        imported ok partial partiallyaccepted partiallycompleted partiallyprocessed partialsuccess partlyaccepted posted
        processed received success successful succeeded acceptedwitherrors acceptedwithwarnings completedwitherrors
        completedwithwarnings processedwitherrors processedwithwarnings partialaccepted alreadyaccepted alreadyprocessed
        alreadyreceived""",
    Verdict.PENDING: """inprocess inprogress pending pendingvalidation processing processinginprogress
        queued running scheduled started validating waiting working beingprocessed""",
    Verdict.FAILED: """aborted canceled cancelled declined denied error errors expired failed failure fault invalid
        notaccepted refused rejected reversed rolledback timedout unsuccessful voided discarded notprocessed""",
}
STATUS_WORDS: Mapping[str, Verdict] = {word: verdict for verdict, words in _WORDS.items() for word in words.split()}
"""Every word that is known, in lower case and without anything between its letters."""

_UNDER_WAY = (
    "inprogress",
    "outstanding",
    "beingprocessed",
    "beingworkedon",
    "isprocessing",
    "stillprocessing",
    "alreadyprocessing",
    "currentlyprocessing",
    "stillrunning",
    "keyinuse",
    "concurrentrequest",
)
_OTHER_CONTENT = ("another", "different", "mismatch", "doesnotmatch", "notmatch", "otherbody", "reused")
_SAYING = ("status", "code", "type", "title", "detail", "message", "reason", "description", "error", "errors")
_DEEPEST = 3
_LONGEST = 500


def verdict_of(status: str) -> Verdict | None:
    """Return what a status word means, None when it is not known."""
    return STATUS_WORDS.get(_letters(status))


def is_under_way(answer: object) -> bool:
    """Tell whether a refusal says that the same request is being worked on, such as a 409 for a key that is in use.

    A key that was used for other content is not: asking again will never help. Texts of RFC 9457 (`title`, `detail`),
    and the `code` and `message` that most APIs have, at most three levels deep.
    """
    said = [_letters(text) for text in _texts(answer, _DEEPEST)]
    if any(word in text for text in said for word in _OTHER_CONTENT):
        return False
    return any(STATUS_WORDS.get(text) is Verdict.PENDING or any(part in text for part in _UNDER_WAY) for text in said)


def words_of(answer: object) -> str:
    """Return what an answer says in words beside its status, on one line, for the person who must act on it."""
    found = [" ".join(text.split()) for text in _texts(answer, _DEEPEST, skip="status")]
    return "; ".join(dict.fromkeys(one for one in found if one))[:_LONGEST]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _texts(answer: object, depth: int, skip: str = "") -> Iterator[str]:
    """Yield the texts of the members that say something, in the order of the answer."""
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, list) and depth:
        for item in answer:
            yield from _texts(item, depth - 1, skip)
    elif isinstance(answer, dict) and depth:
        for name, value in answer.items():
            if name.lower() in _SAYING and name != skip:
                yield from _texts(value, depth - 1, skip)
