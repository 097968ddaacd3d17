"""Settings that are secrets: the environment's, else the vault's; missing ones are told with their path."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.adapters.settings import Settings
from shared.adapters.settings.kinds import Group
from shared.adapters.settings.secret_settings import SECRETS
from shared.adapters.vault_names import vault_name
from shared.kernel.errors import ConfigurationError, NetworkFailure
from shared.kernel.secret import Secret
from tests.fakes.secrets import MemorySecrets
from tests.unit.adapters.test_settings import GOOD

VAULT = {"KEY_VAULT_URL": "https://hub.vault.azure.net", "HUB_TENANT": "acme"}
IN_CLOUD = {name: value for name, value in GOOD.items() if name not in SECRETS} | VAULT
CONNECTION_STRINGS = {"AzureWebJobsStorage", "ServiceBusConnection", "APPLICATIONINSIGHTS_CONNECTION_STRING"}
"""Given on a laptop alone (INC-32); that of Application Insights opens nothing in the cloud, where no key is taken."""


def full_vault() -> MemorySecrets:
    values = {setting: f"{setting} of the vault" for setting in SECRETS}
    values |= {"MAIL_ACS_ACCESS_KEY": "c2VjcmV0", "HUB_NOTIFICATION_URL": "https://chat.example.com/hook"}
    return MemorySecrets({SECRETS[setting].path("acme"): (value,) for setting, value in values.items()})


def secret_fields() -> dict[str, object]:
    return {
        str(field.alias): field.annotation
        for group in Group.__subclasses__()
        for field in group.model_fields.values()
        if "Secret" in str(field.annotation)
    }


def test_every_setting_that_is_a_secret_has_its_path_and_comes_from_the_vault() -> None:
    """RES-11."""
    fields = secret_fields()
    kept_in_settings = {name for name, kind in fields.items() if SecretStr.__name__ in str(kind)}
    assert kept_in_settings <= CONNECTION_STRINGS
    assert fields.keys() - kept_in_settings == SECRETS.keys()
    paths = [kind.path("default") for kind in SECRETS.values()]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch(r"integrations/default/[a-z-]+/[a-z-]+", path) for path in paths)


def test_a_setting_named_like_a_secret_is_one() -> None:
    suspicious = re.compile(r"SECRET$|PASSWORD$|_KEY$|_TOKEN$")
    named = {
        str(f.alias) for g in Group.__subclasses__() for f in g.model_fields.values() if suspicious.search(str(f.alias))
    }
    assert named - {"SFTP_HOST_KEY"} == SECRETS.keys() - {"HUB_NOTIFICATION_URL"}


def test_the_documentation_has_the_same_table() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "secrets.md").read_text()
    for setting, kind in SECRETS.items():
        path = kind.path("default")
        assert f"| `{setting}` | `{path}` | `{vault_name(path)}` |" in text


def test_the_environment_wins() -> None:
    vault = full_vault()
    settings = Settings(GOOD | VAULT, lambda: vault)
    assert settings.erp.client_secret.value() == "hidden"
    assert settings.hub.page_token_secret.value() == GOOD["HUB_PAGE_TOKEN_SECRET"]
    assert vault.reads.total() == 0


def test_what_the_environment_has_not_comes_from_the_vault_when_it_is_needed() -> None:
    vault = full_vault()
    settings = Settings(IN_CLOUD, lambda: vault)
    secret = settings.erp.client_secret
    assert isinstance(secret, Secret)
    assert vault.reads.total() == 0, "reading settings reads no secret"
    assert secret.value() == "ERP_CLIENT_SECRET of the vault"
    assert vault.reads == {"integrations/acme/erp/client-secret": 1}
    vault.values[secret.path] = ("rotated",)
    assert secret.value() == "rotated", "RES-11: without a restart"


def test_without_a_vault_a_missing_secret_is_a_missing_setting() -> None:
    problems = Settings({name: value for name, value in IN_CLOUD.items() if name != "KEY_VAULT_URL"}).problems()
    assert {one.field: one.message for one in problems}["ERP_CLIENT_SECRET"] == "is missing"


def problems(vault: MemorySecrets, **more: str) -> dict[str, str]:
    return {one.field: one.message for one in Settings(CLOUD | more, lambda: vault).problems()}


CLOUD = IN_CLOUD | {
    "HR_BASE_URL": "https://hr.example.com",
    "HR_TOKEN_URL": "https://login.example.com/token",
    "HR_CLIENT_ID": "hub",
    "PAYROLL_BASE_URL": "https://payroll.example.com",
    "PAYROLL_TOKEN_URL": "",
    "PAYROLL_AUTHORITY": "https://login.microsoftonline.com/tenant",
    "PAYROLL_SCOPE": "api://payroll/.default",
    "PAYROLL_CLIENT_ID": "hub",
    "SFTP_HOST": "sftp.example.com",
    "SFTP_USERNAME": "hub",
    "SFTP_HOST_KEY": "SHA256:" + "A" * 43,
}


def test_a_full_vault_is_all_that_is_needed() -> None:
    assert problems(full_vault()) == {}


def test_what_is_missing_in_the_vault_is_told_by_setting_and_path() -> None:
    vault = full_vault()
    for name in ("HR_WEBHOOK_SECRET", "HUB_PAGE_TOKEN_SECRET"):
        del vault.values[SECRETS[name].path("acme")]
    assert problems(vault) == {
        "HR_WEBHOOK_SECRET": "is missing (in the vault: integrations/acme/hr/webhook-secret)",
        "HUB_PAGE_TOKEN_SECRET": "is missing (in the vault: integrations/acme/hub/page-token-secret)",
    }


@pytest.mark.parametrize(
    ("mail", "needed"),
    [
        ({}, None),
        ({"MAIL_PROVIDER": "smtp", "MAIL_SMTP_HOST": "smtp.example.com"}, None),
        (
            {"MAIL_PROVIDER": "smtp", "MAIL_SMTP_HOST": "smtp.example.com", "MAIL_SMTP_USERNAME": "hub"},
            "MAIL_SMTP_PASSWORD",
        ),
        ({"MAIL_PROVIDER": "sendgrid"}, "MAIL_SENDGRID_KEY"),
        (
            {"MAIL_PROVIDER": "communication-services", "MAIL_ACS_ENDPOINT": "https://a.communication.azure.com"},
            "MAIL_ACS_ACCESS_KEY",
        ),
    ],
    ids=["none", "smtp without login", "smtp", "sendgrid", "communication-services"],
)
def test_of_email_only_what_the_provider_needs_must_be_there(mail: dict[str, str], needed: str | None) -> None:
    vault = full_vault()
    for name in SECRETS:
        if name.startswith("MAIL_"):
            del vault.values[SECRETS[name].path("acme")]
    assert set(problems(vault, MAIL_DOMAIN="example.com", **mail)) == ({needed} if needed else set())


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        (("SFTP_PRIVATE_KEY",), None),
        (("SFTP_PASSWORD",), None),
        (("SFTP_PRIVATE_KEY", "SFTP_PASSWORD"), "SFTP_PRIVATE_KEY"),
    ],
    ids=["a password", "a key", "neither"],
)
def test_for_sftp_one_way_in_is_enough(removed: tuple[str, ...], told: str | None) -> None:
    vault = full_vault()
    for name in removed:
        del vault.values[SECRETS[name].path("acme")]
    assert set(problems(vault)) == ({told} if told else set())


def test_an_sftp_password_of_the_environment_wins_over_a_key_in_the_vault() -> None:
    settings = Settings(CLOUD | {"SFTP_PASSWORD": "mine"}, full_vault)
    key, password = settings.sftp.credentials
    assert key is None
    assert password
    assert password.value() == "mine"


def test_a_vault_that_is_away_is_one_problem_and_not_one_for_each_secret() -> None:
    vault = full_vault()
    vault.failure = NetworkFailure("key-vault", "the vault does not answer")
    assert problems(vault) == {"KEY_VAULT_URL": "the vault does not answer (NetworkFailure)"}
    assert vault.reads.total() == 1, "nobody waits for it again and again"


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("HUB_PAGE_TOKEN_SECRET", "sh0rt", "should have at least 16 characters"),
        ("HR_WEBHOOK_SECRET", "sh0rt", "should have at least 16 characters"),
    ],
)
def test_a_value_in_the_vault_that_breaks_a_rule_is_told_and_not_shown(setting: str, value: str, message: str) -> None:
    vault = full_vault()
    path = SECRETS[setting].path("acme")
    vault.values[path] = (value,)
    assert problems(vault) == {setting: f"{message} (in the vault: {path})"}


def test_several_webhook_secrets_are_one_setting_with_commas() -> None:
    """INC-25."""
    secret = Settings({"HR_WEBHOOK_SECRET": "a secret that is new, a secret that is old"}).secret("HR_WEBHOOK_SECRET")
    assert secret
    assert secret.versions() == ("a secret that is new", "a secret that is old")


def test_a_tenant_that_fits_no_path_is_named() -> None:
    assert {one.field for one in Settings(GOOD | {"HUB_TENANT": "a/b"}).problems()} == {"HUB_TENANT"}


def test_a_process_that_was_given_no_vault_says_so() -> None:
    with pytest.raises(ConfigurationError, match="KEY_VAULT_URL"):
        Settings(IN_CLOUD).erp.client_secret.value()


@pytest.mark.parametrize("prefix", ["ERP", "HR", "PAYROLL"])
def test_tokens_come_from_one_place(prefix: str) -> None:
    """INC-32."""
    group = {"ERP": "erp", "HR": "hr", "PAYROLL": "payroll"}[prefix]
    given = CLOUD | {f"{prefix}_{name}": "" for name in ("TOKEN_URL", "AUTHORITY", "SCOPE")}

    def told(**urls: str) -> set[str]:
        try:
            getattr(Settings(given | {f"{prefix}_{name}": url for name, url in urls.items()}, full_vault), group)
        except ConfigurationError as error:
            return {one.field.removeprefix(f"{prefix}_") for one in error.problems}
        return set()

    authority, token_url = "https://login.microsoftonline.com/tenant", "https://login.example.com/token"
    scope = "api://partner/.default"
    assert told() == {"TOKEN_URL"}
    assert told(TOKEN_URL=token_url) == told(AUTHORITY=authority, SCOPE=scope) == set()
    assert told(TOKEN_URL=token_url, AUTHORITY=authority) == {"TOKEN_URL", "AUTHORITY"}
    assert told(AUTHORITY=authority) == {"SCOPE"}
    for wrong in ("https://login.microsoftonline.com", "http://127.0.0.1/tenant"):
        assert told(AUTHORITY=wrong, SCOPE=scope) == {"AUTHORITY"}


URIS = {
    f"AzureWebJobsStorage__{name}ServiceUri": f"https://hub.{name}.core.windows.net"
    for name in ("blob", "queue", "table")
}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, set()),
        (URIS | {"AzureWebJobsStorage__credential": "managedidentity", "AzureWebJobsStorage__clientId": "id"}, set()),
        ({}, {"AzureWebJobsStorage"}),
        (URIS | {"AzureWebJobsStorage__tableServiceUri": ""}, {"AzureWebJobsStorage__tableServiceUri"}),
        (URIS | {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, {"AzureWebJobsStorage"}),
        (URIS | {"AzureWebJobsStorage__credential": "key"}, {"AzureWebJobsStorage__credential"}),
        (URIS | {"AzureWebJobsStorage__blobServiceUri": "http://hub.blob"}, {"AzureWebJobsStorage__blobServiceUri"}),
    ],
    ids=["connection string", "identity", "nothing", "an address missing", "both", "another credential", "no https"],
)
def test_storage_by_connection_string_or_by_identity(given: dict[str, str], told: set[str]) -> None:
    """INC-32."""
    found = {one.field for one in Settings(given).problems()}
    assert {name for name in found if name.startswith("AzureWebJobsStorage")} == told
