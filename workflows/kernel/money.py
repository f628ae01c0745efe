"""The amounts and currencies in which something can have a price."""

from iso4217 import raw_xml as iso_4217

MAX_AMOUNT = 2**53 - 1  # minor units: the largest integer that every JSON reader keeps exactly
# The active codes of ISO 4217 with a minor unit, without codes of funds and the two units of account that it holds.
CURRENCIES = frozenset(
    entry.findtext("Ccy")
    for entry in iso_4217.iter("CcyNtry")
    if entry.findtext("CcyMnrUnts", "").isdigit() and entry.find("CcyNm[@IsFund]") is None
) - {"UYW", "XAD"}
