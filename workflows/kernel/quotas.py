"""Quotas over time: how often something may be done for one subject, counted by the database for all processes."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import Connection

from models.base import sql
from workflows.kernel.errors import RateLimited
from workflows.kernel.expired import ExpiredRows

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The generic cell rate algorithm: each use moves `used_until` by a share of the period, and it never runs further ahead
# than one period. One row a subject, whose lock decides a race. The time is read under that lock: who began a
# transaction first may get the lock second, and would be refused by the time at which the transaction began.
_USE = sql("""
INSERT INTO quota_usage AS own (kind, subject_id, used_until)
VALUES (:kind, :subject_id, clock_timestamp() + CAST(:share AS interval))
ON CONFLICT (kind, subject_id) DO UPDATE
SET used_until = greatest(own.used_until, clock_timestamp()) + CAST(:share AS interval)
WHERE greatest(own.used_until, clock_timestamp()) + CAST(:share AS interval)
      <= clock_timestamp() + CAST(:period AS interval)
RETURNING 1
""")
_WAIT = sql("""
SELECT extract(epoch FROM used_until + CAST(:share AS interval) - CAST(:period AS interval) - clock_timestamp())
FROM quota_usage WHERE kind = :kind AND subject_id = :subject_id
""")
forget_unused_quotas = ExpiredRows("quota_usage", "used_until < now()", order="used_until")


@dataclass(frozen=True)
class Quota:
    """How often something may be done for one subject."""

    kind: str  # as which it is counted
    limit: int  # so often at once, and from then on so often in each period, evenly spread; 0 is no limit
    period: timedelta
    refusal: str  # the sentence for the caller who has used it up


def use_quota(db: Connection, quota: Quota, subject_id: UUID) -> None:
    """Count one use, unless the transaction is rolled back; raises RateLimited once the quota is used up."""
    if not quota.limit:
        return
    values = {
        "kind": quota.kind,
        "subject_id": subject_id,
        # Rounded down to microseconds, so that the whole limit fits into the period.
        "share": quota.period // quota.limit,
        "period": quota.period,
    }
    if db.execute(_USE, values).one_or_none() is None:
        raise RateLimited(quota.refusal, retry_after=max(1, ceil(db.execute(_WAIT, values).scalar_one())))
