"""How often a mentee takes back what was booked: each time others are notified, and rows are kept for good."""

from __future__ import annotations

from sqlalchemy import Connection

from workflows.identity.actor import Actor
from workflows.quotas import DAY, Quota, use_quota


def use_withdrawal(db: Connection, actor: Actor, *, limit: int) -> None:
    """Count a withdrawn request, a cancelled session or series, or a seat that is left.

    For mentors and operators there is no limit.

    Args:
        limit: so many at once, and then so many a day; 0 is any number.

    Raises:
        RateLimited: the mentee has used them up.
    """
    if actor.user_id is not None and actor.mentor_profile_id is None:
        refusal = "You have cancelled very much today; wait before you cancel more, or ask an operator to do it."
        use_quota(db, Quota("booking.withdrawn", limit, DAY, refusal), actor.user_id)
