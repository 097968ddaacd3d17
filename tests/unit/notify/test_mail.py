"""An e-mail can carry no second recipient and no header of its own (INC-61)."""

from dataclasses import replace

import pytest

from shared.kernel.mail import Mail, is_address

MAIL = Mail(
    "noreply@hub.example.com",
    "zoe@example.com",
    "Größe: 3 €",
    "text",
    "<p>html</p>",
    "<0194a6c2-5c1e-7c3a-9f5e-2d7b8a90c111@hub.example.com>",
)


@pytest.mark.parametrize("breaker", ["\n", "\r", "\r\n", "\x00", "\x0b", "\x85", "\u2028"])
def test_a_subject_of_two_lines_is_refused(breaker: str) -> None:
    with pytest.raises(ValueError, match="subject must be one line"):
        replace(MAIL, subject=f"Hello{breaker}Bcc: eve@example.com")


@pytest.mark.parametrize("part", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "zoe",
        "zoe@",
        "@example.com",
        "zoe@example.com\nBcc: eve@example.com",
        "zoe@example.com\n",
        "zoe@example.com, eve@example.com",
        "zoe@example.com eve@example.com",
        "Zoe <zoe@example.com>",
        "zoe@exa_mple.com",
        "zoe@-example.com",
        "zoë@example.com",
        "zoe@" + "a." * 130 + "com",
    ],
)
def test_what_is_not_one_address_is_refused_and_not_repeated_in_the_error(part: str, address: str) -> None:
    assert not is_address(address)
    with pytest.raises(ValueError, match=f"the {part} must be one e-mail address") as refused:
        replace(MAIL, **{part: address})
    assert not address.strip() or address not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["a@b", "first.last+tag@mail.example.com", "o'neil@example.com", "zoe@xn--bcher-kva.de"]
)
def test_usual_addresses_are_addresses(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize("message_id", ["", "<1@example.com>", "<0194a6c2-5c1e-7c3a-9f5e-2d7b8a90c111@a>\nBcc: b@c"])
def test_a_message_id_that_is_none_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="message ID"):
        replace(MAIL, message_id=message_id)


def test_an_email_shows_nobody_and_nothing_in_a_log() -> None:
    assert "zoe" not in repr(MAIL)
    assert "Größe" not in repr(MAIL)
