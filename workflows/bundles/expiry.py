"""The end of a bundle's validity: its timers, and what happens when they are due."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select

from models.events import events
from models.payments import PaymentStatus
from workflows.bundles.ledger import take_all
from workflows.bundles.records import Bundle, BundleStatus, locked
from workflows.events.event_types import BundleExpired, BundleValiditySet
from workflows.events.record import record
from workflows.identity.actor import SYSTEM, Actor
from workflows.payments.actions import end_waiting, payment_of

NOTICE_BEFORE_EXPIRY = timedelta(days=7)

_SET_AGAIN = select(
    exists().where(
        events.c.subject_id == bindparam("bundle_id"),
        events.c.type == BundleValiditySet.type,
        events.c.sequence > bindparam("sequence"),
    )
)


def expiry_of(event: BundleValiditySet) -> datetime:
    """When the bundle expires."""
    assert event.valid_to is not None
    return event.valid_to


def notice_of_expiry(event: BundleValiditySet) -> datetime:
    """A week before the bundle expires."""
    return expiry_of(event) - NOTICE_BEFORE_EXPIRY


def is_long(event: BundleValiditySet) -> bool:
    """Whether the bundle is valid for more than a week from the event on."""
    return notice_of_expiry(event) > event.occurred_at


def is_superseded(db: Connection, event: BundleValiditySet, bundle: Bundle) -> bool:
    """Whether the validity was set again after the event, so that its timers no longer count."""
    if bundle.valid_to != event.valid_to:
        return True
    return bool(db.scalar(_SET_AGAIN, {"bundle_id": bundle.id, "sequence": event.sequence}))


def forfeit(db: Connection, *, actor: Actor, bundle_id: UUID, reason: str, now: datetime) -> None:
    """Take what is left in a bundle before the end of its validity, at its owner's wish; or end the wait for it."""
    bundle = locked(db, bundle_id)
    awaited, left = bundle.awaits_payment, bundle.remaining_sessions
    if left == 0:
        return
    # Not until `now`, which is when the deletion was asked for: the bundle may have been bought while that waited.
    bundle = take_all(db, bundle, valid_to=bundle.valid_to, reason=reason, actor=actor, now=now)
    if not awaited:
        expired = BundleExpired.about(bundle, actor=actor, now=now, status=BundleStatus.EXPIRED, expired_sessions=left)
        record(db, expired)
    elif payment := payment_of(db, bundle_purchase_id=bundle.id):
        end_waiting(db, payment, PaymentStatus.CANCELLED, actor=actor, now=now)


def expire(db: Connection, *, event: BundleValiditySet, now: datetime) -> None:
    """Take what is left in a bundle at the end of its validity, unless that has been set again since.

    The timer is due by the database's clock; the caller's may still be a little before it.
    """
    bundle = locked(db, event.bundle_purchase_id)
    if is_superseded(db, event, bundle):
        return
    left = bundle.remaining_sessions
    if left > 0:
        reason = "The bundle has expired."
        bundle = take_all(db, bundle, valid_to=bundle.valid_to, reason=reason, actor=SYSTEM, now=now)
    expired = BundleExpired.about(bundle, actor=SYSTEM, now=now, status=BundleStatus.EXPIRED, expired_sessions=left)
    record(db, expired)
