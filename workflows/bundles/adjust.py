"""An operator's adjustment of a bundle: credits given or taken, and another end of its validity."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from workflows.audit.log import write_audit_entry
from workflows.bundles.ledger import entry_values, exhausted_events, moving, unusable, validity_events
from workflows.bundles.records import Bundle, BundleStatus, locked
from workflows.events.record import record
from workflows.identity.access import require_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Invalid, Stale

# What is given is added to the total as well, which stays at least what is left.
_ADJUST = moving(
    """
    UPDATE bundle_purchases SET remaining_sessions = remaining_sessions + CAST(:credits AS integer),
        total_sessions = total_sessions + greatest(CAST(:credits AS integer), 0),
        valid_to = CAST(:valid_to AS timestamptz),
        closed_at = CASE WHEN remaining_sessions + CAST(:credits AS integer) = 0
                         THEN coalesce(closed_at, :now) ELSE closed_at END
    WHERE id = :id
    RETURNING *
    """,
    kind="adjust",
    credits="CAST(:credits AS integer)",
)


def adjust(
    db: Connection,
    *,
    actor: Actor,
    bundle: Bundle,
    reason: str,
    credits: int = 0,
    changes: Mapping[str, Any],
    any_version: bool = False,
    now: datetime,
) -> Bundle:
    """Give credits or take some, and set the end of the validity; the reason goes to the ledger and the audit.

    A purchase that is closed stays closed: the bundle can be used again, and another one can be bought beside it.

    Args:
        bundle: as the caller saw it.
        credits: added to what is left, and if positive to the total; 0 for another end alone.
        changes: `valid_to`, if another end is set: exclusive and in the future, or None for no end.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: the caller is no operator.
        Stale: the bundle has changed since it was read.
        Invalid: nothing would change, more would be taken than is left, or the new end lies in the past.
        Conflict: `bundle_unusable`, when credits are given to an expired bundle without another end.
    """
    require_operator(actor, "Only an operator can adjust a bundle.")
    present = locked(db, bundle.id)
    if present.version != bundle.version and not any_version:
        raise Stale("bundle")
    if present.awaits_payment:
        raise unusable("unpaid", "This bundle awaits its payment; waive that, or wait for it.")
    valid_to: datetime | None = changes.get("valid_to", present.valid_to)
    _require_change(present, credits, valid_to, now)
    values = entry_values(actor=actor, now=now, reason=reason)
    row = db.execute(_ADJUST, {"id": bundle.id, "credits": credits, "valid_to": valid_to, **values}).one()
    adjusted = Bundle.of(row)
    moved = adjusted.valid_to != present.valid_to
    events = [
        *(exhausted_events(adjusted, actor=actor, now=now) if present.remaining_sessions else ()),
        *(validity_events(adjusted, actor=actor, now=now) if moved else ()),
    ]
    if events:
        record(db, *events)
    write_audit_entry(
        db,
        actor=actor,
        action="bundle.adjusted",
        subject=("bundle_purchase", bundle.id),
        reason=reason,
        data={"menteeUserId": str(adjusted.mentee_user_id), "credits": credits, **_ends(present, adjusted)},
        now=now,
    )
    return adjusted


def _require_change(bundle: Bundle, credits: int, valid_to: datetime | None, now: datetime) -> None:
    moved = valid_to != bundle.valid_to
    if credits == 0 and not moved:
        raise Invalid("Give credits, another validTo, or both.", details={"credits": ["must not be 0 without validTo"]})
    if moved and valid_to is not None and valid_to <= now:
        raise Invalid("A bundle's validity must end in the future.", details={"validTo": ["lies in the past"]})
    if bundle.remaining_sessions + credits < 0:
        raise Invalid(
            "More credits cannot be taken than the bundle has left.",
            details={"credits": [f"must not be less than {-bundle.remaining_sessions}"]},
        )
    if credits > 0 and not moved and bundle.status_at(now) is BundleStatus.EXPIRED:
        raise unusable("expired", "This bundle has expired; give validTo as well, so that the credits can be used.")


def _ends(before: Bundle, after: Bundle) -> dict[str, str | None]:
    if before.valid_to == after.valid_to:
        return {}
    return {"validTo": after.valid_to.isoformat() if after.valid_to else None}
