"""Page tokens: each holds for one query of one tenant, and nobody can make one up."""

import pytest

from shared.adapters.signing import PageTokens
from shared.kernel.errors import InvalidRequest

SECRET = "a secret for page tokens"


def tokens(tenant: str = "default", secret: str = SECRET) -> PageTokens:
    return PageTokens(secret, tenant)


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
