"""Money as people read it: `USD 20.00`, with as many decimals as its currency has."""

from __future__ import annotations

from iso4217 import raw_table as iso_4217


def money(amount: int, currency: str) -> str:
    """An amount with its currency's code.

    Args:
        amount: in minor units of ISO 4217. (Unicode's CLDR, and so Babel, counts other decimals for 13 currencies.)
        currency: its ISO 4217 code.
    """
    # A currency that has been replaced since the price was set is no longer in the table.
    decimals = int(str(iso_4217[currency]["CcyMnrUnts"])) if currency in iso_4217 else 2
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}}" if decimals else "")
