"""How often a mentee takes back what was booked: each time others are notified, and rows are kept for good."""

from sqlalchemy import Connection

from workflows.identity.access import HasMentor, is_mentor
from workflows.identity.actor import Actor
from workflows.kernel.quotas import DAY, Quota, use_quota


def use_withdrawal(db: Connection, actor: Actor, record: HasMentor, *, limit: int) -> None:
    """Count a withdrawn request, a cancelled session or series, a seat or a place on a waiting list that is left.

    For its mentor and for operators there is no limit; a mentor who books with another one is a mentee there.

    Args:
        record: what is withdrawn, cancelled or left.
        limit: so many at once, and then so many a day; 0 is any number.

    Raises:
        RateLimited: the mentee has used them up.
    """
    if actor.user_id is not None and not is_mentor(actor, record):
        refusal = "You have cancelled very much today; wait before you cancel more, or ask an operator to do it."
        use_quota(db, Quota("booking.withdrawn", limit, DAY, refusal), actor.user_id)
