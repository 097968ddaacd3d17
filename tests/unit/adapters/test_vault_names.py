"""Names in a vault: readable, within the vault's alphabet, and never the same for two paths, whatever the case."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.settings.secret_settings import SECRETS
from shared.adapters.vault_names import LONGEST, path_of, vault_name

part = st.text(alphabet="abyz019-_.AZéß", min_size=1, max_size=4)
paths = st.lists(part, min_size=1, max_size=4).map("/".join)


@given(paths)
def test_a_name_is_within_the_vaults_alphabet_and_reads_back(path: str) -> None:
    name = vault_name(path)
    assert re.fullmatch(r"[0-9a-z-]{1,127}", name)
    assert path_of(name) == path


@given(paths, paths)
def test_two_paths_never_share_a_name_even_where_case_does_not_count(one: str, other: str) -> None:
    assert (vault_name(one).lower() == vault_name(other).lower()) == (one == other)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("integrations/default/erp/client-secret", "integrations--default--erp--client-secret"),
        ("integrations/acme-2/e-mail/smtp-password", "integrations--acme-2--e-mail--smtp-password"),
        ("integrations/ACME_1/hr/a", "integrations-----41---43---4d---45---5f1--hr--a"),
        ("a-/b", "a---2d--b"),
        ("a/-b", "a-----2db"),
        ("a--b", "a---2d---2db"),
    ],
)
def test_names(path: str, name: str) -> None:
    assert vault_name(path) == name


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b"])
def test_a_path_with_an_empty_part_has_no_name(path: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        vault_name(path)


def test_a_path_that_is_too_long_is_refused_and_every_ordinary_tenant_fits() -> None:
    with pytest.raises(ValueError, match="127 are allowed"):
        vault_name(f"integrations/{'A' * 64}/erp/client-secret")
    names = [vault_name(kind.path("a" * 64)) for kind in SECRETS.values()]
    assert max(map(len, names)) <= LONGEST
