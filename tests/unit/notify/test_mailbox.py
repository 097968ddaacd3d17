"""The sandbox's mailbox does what tests and demos rely on."""

import smtplib
import socket
from contextlib import closing

import pytest

from local.sandbox.mail_gateways import receive_sendgrid
from local.sandbox.mailbox import Mailbox

TEXT = "From: a@example.com\r\nSubject: Hello\r\n\r\nBody\r\n"


def post(mailbox: Mailbox, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.port, timeout=5) as connection:
        connection.sendmail("a@example.com", list(recipients), TEXT)


def test_an_email_to_two_is_kept_for_each() -> None:
    with closing(Mailbox()) as mailbox:
        post(mailbox, "b@example.com", "c@example.com")
        assert [(found["to"], found["subject"], found["text"]) for found in mailbox.messages()] == [
            ("b@example.com", "Hello", "Body\n"),
            ("c@example.com", "Hello", "Body\n"),
        ]


def test_an_address_fails_as_often_as_it_is_told_to() -> None:
    with closing(Mailbox()) as mailbox:
        mailbox.fail("B@example.com", 550, 2)
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
                post(mailbox, "b@example.com")
        post(mailbox, "b@example.com")
        assert len(mailbox.messages()) == 1


def test_a_code_that_refuses_nothing_is_no_failure() -> None:
    with closing(Mailbox()) as mailbox, pytest.raises(ValueError, match="no refusal"):
        mailbox.fail("b@example.com", 250)


def test_a_port_that_is_taken_is_an_error() -> None:
    with closing(Mailbox()) as mailbox, pytest.raises(OSError, match="address already in use"):
        Mailbox(mailbox.port)


def test_closing_ends_connections_frees_the_port_and_keeps_what_came_in() -> None:
    mailbox = Mailbox()
    post(mailbox, "b@example.com")
    with socket.create_connection(("127.0.0.1", mailbox.port), timeout=5) as idle:
        assert idle.recv(100).startswith(b"220")
        mailbox.close()
        assert idle.recv(100) == b""
    mailbox.close()
    assert len(mailbox.messages()) == 1
    with pytest.raises(OSError):  # noqa: PT011 - refused, whatever the system calls it
        socket.create_connection(("127.0.0.1", mailbox.port), timeout=5)


def test_a_post_in_no_shape_is_refused() -> None:
    with closing(Mailbox()) as mailbox:
        for body in (b"", b"{}", b'{"personalizations": []}', b"[1]"):
            assert receive_sendgrid(mailbox, {"authorization": "Bearer k"}, body, key="k").status == 400
        assert receive_sendgrid(mailbox, {}, b"{}", key="k").status == 401
        assert mailbox.messages() == []
