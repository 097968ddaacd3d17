"""Money: Decimal in the hub, integer minor units in storage, never a float."""

from decimal import Decimal, InvalidOperation

CENT = Decimal("0.01")
_MOST_DIGITS = 30
"""Before or after the point: beyond that it is no amount of money, and arithmetic with it may never end."""


def to_minor(amount: Decimal) -> int:
    """Return an amount in minor units (cents). ValueError when it has more than two decimals or is not finite."""
    if not amount.is_finite():
        raise ValueError(f"{amount} is not an amount of money")
    minor = amount.scaleb(2)
    if minor != minor.to_integral_value():
        raise ValueError(f"{amount} has more than two decimals")
    return int(minor)


def from_minor(minor: int) -> Decimal:
    """Return minor units (cents) as a Decimal with two places."""
    return Decimal(minor).scaleb(-2).quantize(CENT)


def amount_text(minor: int) -> str:
    """Return minor units as decimal text with two places: `-1234` becomes `-12.34`. This is how JSON carries money."""
    return f"{from_minor(minor):f}"


def parse_amount(text: str) -> Decimal:
    """Read decimal text. ValueError when it is not a plain finite decimal number."""
    if not text.isascii() or "_" in text:
        raise ValueError(f"{text!r} is not a number")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not amount.is_finite():
        raise ValueError(f"{text!r} is not an amount of money")
    if len(text) > 100 or abs(amount.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{text[:40]!r} is not a sensible amount")
    return amount
