"""INC-42: one person, however systems write them; two persons only where something can be compared."""

import pytest

from shared.kernel.identities import Identities, comparable, identities_of


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Ada.Abel@Retail.example", "ada.abel@retail.example"),
        (" ada.abel@retail.example\t", "ada.abel@retail.example"),
        ("ada.abel@retail.example\u00a0", "ada.abel@retail.example"),
        ("\u200bada.abel@retail.example\ufeff", "ada.abel@retail.example"),
        ("\uff41\uff44\uff41\uff20retail.example", "ada@retail.example"),
        ("ada\ufe0f.ab\u034fel@retail.example\u3164", "ada.abel@retail.example"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Jose\u0301", "josé"),
        ("\u0130stanbul", comparable("i\u0307stanbul")),
        (4711, "4711"),
        (4711.0, "4711"),
        (" 004711 ", "4711"),
        ("\uff14\uff17\uff11\uff11", "4711"),
        ("0" * 6000, "0"),
        (0, "0"),
        ("", ""),
        ("   ", ""),
        (None, ""),
        (True, ""),
        (["4711"], ""),
    ],
)
def test_what_systems_write_differently_is_compared_as_one(written: object, compared: str) -> None:
    assert comparable(written) == compared


def test_an_address_that_is_none_proves_nothing() -> None:
    assert identities_of(addresses=["n/a", "ada@retail.example"]) == Identities(
        addresses=frozenset({"ada@retail.example"}), names=frozenset({"n/a"})
    )


@pytest.mark.parametrize(
    "written",
    [
        "mailto:jo@m\u00fcller.example",
        "SMTP:Jo@M\u00fcller.example",
        "Jo Ng <jo@m\u00fcller.example>",
        "jo@m\u00fcller.example.",
        "jo@xn--mller-kva.example",
    ],
)
def test_an_address_is_one_whatever_is_written_around_it(written: str) -> None:
    plain = identities_of(addresses=["jo@m\u00fcller.example"])
    assert identities_of(addresses=[written]) == plain
    assert identities_of(names=[written]).share(plain)


@pytest.mark.parametrize("kind", ["addresses", "names"])
def test_the_user_name_of_a_guest_is_no_address_and_tells_their_own(kind: str) -> None:
    guest = identities_of(**{kind: ["Ada_Abel_retail.example#EXT#@hub.onmicrosoft.com"]})
    assert guest.share(identities_of(addresses=["ada_abel@retail.example"]))
    assert not guest.differ(identities_of(addresses=["eve@retail.example"]))


ADA = identities_of(addresses=["ada@retail.example"], numbers=["4711"], names=["user-1"])


@pytest.mark.parametrize(
    ("other", "same", "another"),
    [
        (identities_of(addresses=["ADA@retail.example"]), True, False),
        (identities_of(names=[4711]), True, False),
        (identities_of(numbers=["User-1"]), True, False),
        (identities_of(addresses=["bob@retail.example"]), False, True),
        (identities_of(numbers=["815"]), False, True),
        (identities_of(addresses=["bob@retail.example"], numbers=["4711"]), True, False),
        (identities_of(names=["aabel@tenant.example", "an object ID"]), False, False),
        (Identities(), False, False),
    ],
)
def test_one_identifier_in_common_is_one_person_and_names_alone_tell_nobody_apart(
    other: Identities, *, same: bool, another: bool
) -> None:
    assert (ADA.share(other), ADA.differ(other)) == (same, another)
    assert (other.share(ADA), other.differ(ADA)) == (same, another)


def test_identities_are_gone_through_one_by_one() -> None:
    known = identities_of(addresses=["Ada@retail.example"], numbers=["H1", "0815"], names=["ada", "815"])
    assert sorted(known) == ["815", "ada", "ada@retail.example", "h1"]
