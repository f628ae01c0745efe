"""Money as people read it: `USD 20.00`, with as many decimals as its currency has."""

from __future__ import annotations

# ISO 4217, list one: the minor unit of these is no hundredth.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def money(amount: int, currency: str) -> str:
    """An amount in words that every reader takes for the same.

    Args:
        amount: in minor units.
        currency: its ISO 4217 code.
    """
    decimals = _DECIMALS.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}}" if decimals else "")
