"""What the chosen provider lacks is named; what is not chosen needs nothing."""

import pytest

from shared.adapters.settings import MailSettings, Settings
from shared.kernel.errors import ConfigurationError

KEY = "bG9jYWw="


def problems(**given: str) -> dict[str, str]:
    settings = Settings({f"MAIL_{name}": value for name, value in given.items()})
    try:
        assert isinstance(settings.mail, MailSettings)
    except ConfigurationError as error:
        return {problem.field.removeprefix("MAIL_"): problem.message for problem in error.problems}
    return {}


def test_without_any_setting_no_emails_are_sent() -> None:
    assert Settings({}).mail.provider == "none"


@pytest.mark.parametrize(
    ("provider", "lacks"),
    [
        ("none", set()),
        ("smtp", {"DOMAIN", "SMTP_HOST"}),
        ("sendgrid", {"DOMAIN", "SENDGRID_KEY"}),
        ("communication-services", {"DOMAIN", "ACS_ENDPOINT", "ACS_ACCESS_KEY"}),
    ],
)
def test_what_a_provider_lacks_is_named(provider: str, lacks: set[str]) -> None:
    found = problems(PROVIDER=provider)
    assert found.keys() == lacks
    assert all(provider in text for text in found.values())


@pytest.mark.parametrize(
    "given",
    [
        {"PROVIDER": "smtp", "DOMAIN": "example.com", "SMTP_HOST": "mail.example.com"},
        {"PROVIDER": "sendgrid", "DOMAIN": "example.com", "SENDGRID_KEY": "SG.key"},
        {
            "PROVIDER": "communication-services",
            "DOMAIN": "example.com",
            "ACS_ENDPOINT": "https://acme.communication.azure.com/",
            "ACS_ACCESS_KEY": KEY,
        },
    ],
)
def test_what_is_enough(given: dict[str, str]) -> None:
    assert problems(**given) == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"PROVIDER": "pigeon"}, "PROVIDER"),
        ({"DOMAIN": "example.com\nBcc: x"}, "DOMAIN"),
        ({"DOMAIN": "a@b"}, "DOMAIN"),
        ({"DOMAIN": "-example.com"}, "DOMAIN"),
        ({"ADMINS": "a@example.com, nobody"}, "ADMINS"),
        ({"ACS_ACCESS_KEY": "not base64!"}, "ACS_ACCESS_KEY"),
        ({"SENDGRID_BASE_URL": "http://mail.example.com"}, "SENDGRID_BASE_URL"),
        ({"SMTP_PORT": "0"}, "SMTP_PORT"),
        ({"PROVIDER": "smtp", "DOMAIN": "a.b", "SMTP_HOST": "127.0.0.1", "SMTP_USERNAME": "hub"}, "SMTP_PASSWORD"),
        ({"PROVIDER": "smtp", "DOMAIN": "a.b", "SMTP_HOST": "a.b", "SMTP_STARTTLS": "false"}, "SMTP_STARTTLS"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(given: dict[str, str], field: str) -> None:
    found = problems(**given)
    assert found.keys() == {field}
    assert "Bcc" not in found[field]
    assert "base64!" not in found[field]


def test_address_lists_and_the_sender() -> None:
    mail = Settings({"MAIL_DOMAIN": "hub.example.com", "MAIL_ADMINS": " a@example.com ,b@example.com,"}).mail
    assert mail.admins == ("a@example.com", "b@example.com")
    assert mail.finance == mail.approvers == ()
    assert mail.sender == "noreply@hub.example.com"


def test_problems_of_email_are_among_all_problems() -> None:
    found = {problem.field for problem in Settings({"MAIL_PROVIDER": "smtp"}).problems()}
    assert {"MAIL_DOMAIN", "MAIL_SMTP_HOST"} <= found
