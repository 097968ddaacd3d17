"""INC-53: what the words of a partner mean, however they are written."""

import pytest

from shared.kernel.partner_status import STATUS_WORDS, Verdict, is_under_way, verdict_of, words_of


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("Accepted", Verdict.TAKEN),
        ("partially-accepted", Verdict.TAKEN),
        (" COMPLETED WITH ERRORS ", Verdict.TAKEN),
        ("IN_PROGRESS", Verdict.PENDING),
        ("queued", Verdict.PENDING),
        ("Not Accepted", Verdict.FAILED),
        ("ERROR", Verdict.FAILED),
        ("", None),
        ("Accepted?no", None),
        ("Zur\u00fcckgestellt", None),
    ],
)
def test_a_word_is_read_by_its_letters(status: str, verdict: Verdict | None) -> None:
    assert verdict_of(status) is verdict


def test_no_word_means_two_things() -> None:
    assert len(STATUS_WORDS) == len({word.casefold() for word in STATUS_WORDS})
    assert all(word.isalnum() for word in STATUS_WORDS)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Processing"},
        {"type": "https://example.com/idempotency", "title": "A request is outstanding for this Idempotency-Key"},
        {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}},
        {"errors": [{"detail": "This batch is being processed."}]},
        {"message": "Request with this key is already in progress"},
        "in progress",
    ],
    ids=repr,
)
def test_a_request_that_is_being_worked_on_is_recognised(answer: object) -> None:
    assert is_under_way(answer)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        5,
        [],
        {},
        {"error": "this idempotency key was used for another batch"},
        {"error": "the key is in progress with a different payload"},
        {"message": "Error while processing the batch"},
        {"note": "in progress"},
        {"error": {"error": {"error": {"error": "in progress"}}}},
    ],
    ids=repr,
)
def test_any_other_refusal_is_not(answer: object) -> None:
    assert not is_under_way(answer)


def test_the_words_beside_the_status_are_told_on_one_line() -> None:
    answer = {"status": "Failed", "message": "period\n closed", "errors": [{"reason": "no account"}, "no account"]}
    assert words_of(answer) == "period closed; no account"
    assert len(words_of({"message": "x" * 2000})) == 500
