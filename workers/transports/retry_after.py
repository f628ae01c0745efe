"""The receiver's wish to be left alone for a while (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WISH = timedelta(days=1)
LONGEST_NUMBER = 10
STATUSES = (429, 503)


def wish(status: int, value: str | None) -> timedelta | None:
    """How long to wait: seconds, or until a date; at most a day is granted, and anything else is no wish at all.

    Args:
        value: of the header Retry-After.
    """
    if status not in STATUSES or value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        # Longer than any time is, and too long for int to read.
        wished = timedelta(seconds=int(value)) if len(value) < LONGEST_NUMBER else LONGEST_WISH
    else:
        try:
            wished = parsedate_to_datetime(value) - datetime.now(UTC)
        except (ValueError, TypeError):
            return None
    return min(max(wished, timedelta()), LONGEST_WISH)
