"""A secret is asked for when it is needed, read again when it is refused, and shown to nobody."""

import pytest

from shared.kernel.errors import ConfigurationError, CredentialsRefused, FieldProblem, PartnerTimeout
from shared.kernel.secret import Secret, secret_path
from tests.fakes.secrets import MemorySecrets, RotatingSecrets, fixed, held_by

REFUSED = CredentialsRefused((FieldProblem("ERP_CLIENT_SECRET", "is not accepted"),))


def accepting(*good: str) -> tuple[list[str], "Partner"]:
    tried: list[str] = []
    return tried, Partner(good, tried)


class Partner:
    """Accepts some secrets."""

    def __init__(self, good: tuple[str, ...], tried: list[str]) -> None:
        self._good, self._tried = good, tried

    def __call__(self, value: str) -> str:
        self._tried.append(value)
        if value not in self._good:
            raise REFUSED
        return f"in with {value}"


def test_one_that_is_accepted_is_used_once() -> None:
    tried, partner = accepting("one")
    assert fixed("one").use(partner) == "in with one"
    assert tried == ["one"]


def test_one_that_is_refused_is_read_again_and_tried_once_if_it_changed() -> None:
    """RES-11."""
    tried, partner = accepting("new")
    store = RotatingSecrets(("old",), ("new",))
    assert held_by(store).use(partner) == "in with new"
    assert tried == ["old", "new"]
    assert store.refreshed.total() == 1


def test_one_that_is_refused_and_has_not_changed_is_not_tried_again() -> None:
    tried, partner = accepting("another")
    with pytest.raises(CredentialsRefused):
        fixed("one").use(partner)
    assert tried == ["one"]


def test_the_order_of_a_rotation_does_not_matter() -> None:
    """The store has the new version already, the partner does not know it yet."""
    tried, partner = accepting("old")
    store = RotatingSecrets(("new", "old"), ("new", "old"))
    assert held_by(store).use(partner) == "in with old"
    assert tried == ["new", "old"]
    assert store.refreshed.total() == 0


def test_a_partner_that_refuses_everything_is_not_tried_with_everything() -> None:
    tried, partner = accepting()
    with pytest.raises(CredentialsRefused):
        held_by(RotatingSecrets(("4", "3", "2"), ("5", "4", "3"))).use(partner)
    assert tried == ["4", "3", "5"]


def test_no_other_failure_says_anything_about_the_secret() -> None:
    store = RotatingSecrets(("old",), ("new",))

    def late(value: str) -> None:
        raise PartnerTimeout("erp", "no answer in time")

    with pytest.raises(PartnerTimeout):
        held_by(store).use(late)
    assert store.refreshed.total() == 0


def test_one_that_is_missing_is_told_by_setting_and_path() -> None:
    store = MemorySecrets()
    secret = Secret("ERP_CLIENT_SECRET", "integrations/acme/erp/client-secret", lambda: store, in_vault=True)
    assert secret.find() is None
    with pytest.raises(ConfigurationError) as caught:
        secret.value()
    assert caught.value.problems == (
        FieldProblem("ERP_CLIENT_SECRET", "is missing (in the vault: integrations/acme/erp/client-secret)"),
    )


def test_a_value_that_breaks_the_rule_is_refused_without_being_told() -> None:
    secret = Secret("S", "p", lambda: MemorySecrets({"p": ("good one", "bad0ne")}), lambda v: "" if " " in v else "no")
    with pytest.raises(ConfigurationError, match="setting S: no") as caught:
        secret.value()
    assert "bad0ne" not in str(caught.value)


@pytest.mark.parametrize("parts", [("", "erp", "x"), ("acme", "e/rp", "x"), ("acme", "erp", "")])
def test_parts_of_a_path(parts: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="no part of a secret's path"):
        secret_path(*parts)


def test_the_text_of_a_secret_says_which_one_it_is() -> None:
    assert repr(fixed("s3cr3t", setting="ERP_CLIENT_SECRET")) == (
        "Secret(ERP_CLIENT_SECRET, integrations/acme/partner/secret)"
    )
