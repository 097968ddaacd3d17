"""Page tokens: each holds for one query of one tenant, and nobody can make one up."""

import pytest

from shared.adapters.signing import PageTokens
from shared.kernel.errors import InvalidRequest

SECRET = "a secret for page tokens"


def tokens(tenant: str = "default", secret: str = SECRET) -> PageTokens:
    return PageTokens(lambda: (secret,), tenant)


@pytest.mark.parametrize("position", ["1!8!abc", "", "ä/\\+|", "x" * 2000])
def test_a_token_gives_back_its_position(position: str) -> None:
    token = tokens().write("imports|None|None", position)
    assert token is not None
    assert token.isascii()
    assert tokens().read("imports|None|None", token) == position


def test_the_end_has_no_token_and_the_beginning_needs_none() -> None:
    assert tokens().write("q", None) is None
    assert tokens().read("q", None) is None
    assert tokens().read("q", "") is None


def good() -> str:
    token = tokens().write("query", "position")
    assert token is not None
    return token


@pytest.mark.parametrize(
    ("reader", "query", "token"),
    [
        (tokens(), "another query", good()),
        (tokens("other"), "query", good()),
        (tokens(secret="another secret of ours"), "query", good()),
        (tokens(), "query", good()[:-2]),
        (tokens(), "query", good()[:10]),
        (tokens(), "query", "A" + good()[1:] if good()[0] != "A" else "B" + good()[1:]),
        (tokens(), "query", "no token"),
        (tokens(), "query", "ä"),
        (tokens(), "query", "A"),
    ],
    ids=["query", "tenant", "secret", "cut", "stub", "changed", "text", "not-ascii", "one-letter"],
)
def test_any_other_token_is_refused_by_name(reader: PageTokens, query: str, token: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        reader.read(query, token)
    assert [problem.field for problem in refused.value.details] == ["pageToken"]


def test_a_rotated_secret_signs_and_the_one_before_is_still_accepted() -> None:
    """RES-11: pages that were begun before a rotation go on."""
    held = ["the old secret of page tokens"]
    rotating = PageTokens(lambda: tuple(held), "default")
    before = rotating.write("query", "position")
    held.insert(0, "the new secret of page tokens")
    after = rotating.write("query", "position")
    assert before != after
    assert rotating.read("query", before) == rotating.read("query", after) == "position"
    del held[1]
    with pytest.raises(InvalidRequest):
        rotating.read("query", before)
