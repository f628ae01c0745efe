"""Buy a bundle of a course: one open purchase per mentee, course and product."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from uuid_utils.compat import uuid7

from models.base import sql
from models.payments import PaidFor
from workflows.bundles.ledger import entry_values, moving, validity_events
from workflows.bundles.records import Bundle
from workflows.events.event_types import BundleAwaitingPayment, BundlePurchased
from workflows.events.record import record
from workflows.identity.access import require_purchase
from workflows.identity.actor import Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import NotFound
from workflows.kernel.locks import SHARE_MENTEE
from workflows.payments.actions import PAY_WITHIN, ask
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms

# A constraint cannot know the time: an expired purchase is closed by the one that follows it.
_CLOSE_EXPIRED = sql(f"""
WITH {SHARE_MENTEE}
UPDATE bundle_purchases SET closed_at = :now FROM mentee
WHERE mentee_user_id = :mentee_user_id AND course_id = :course_id
  AND product_id = :product_id AND closed_at IS NULL AND valid_to <= :now
""")
_PURCHASE = moving(
    f"""
    INSERT INTO bundle_purchases (
        id, mentee_user_id, course_id, product_id, total_sessions, remaining_sessions, duration_minutes,
        price_amount, price_currency, valid_from, valid_to, external_id, metadata, awaits_payment
    )
    WITH {SHARE_MENTEE}
    SELECT :id, :mentee_user_id, p.course_id, p.id, p.session_count, p.session_count,
           p.duration_minutes, p.price_amount, p.price_currency, :now,
           :now + p.valid_days * interval '24 hours', CAST(:external_id AS text), CAST(:metadata AS jsonb),
           p.payment_mode = 'before' AND p.price_amount > 0
    FROM products p JOIN courses c ON c.id = p.course_id
    WHERE p.id = :product_id AND p.course_id = :course_id
      AND p.kind = 'bundle' AND p.active AND c.active
      AND NOT EXISTS (SELECT FROM mentee WHERE erased_at IS NOT NULL)
    RETURNING *
    """,
    kind="purchase",
    credits="total_sessions",
).bindparams(bindparam("metadata", type_=JSONB(none_as_null=True)))

_OPEN = sql(f"""
UPDATE bundle_purchases SET awaits_payment = false WHERE id = :id
RETURNING {Bundle.names()}
""").columns(*Bundle.columns())


def purchase(
    db: Connection,
    *,
    actor: Actor,
    course_id: UUID,
    product_id: UUID,
    mentee_user_id: UUID,
    now: datetime,
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    expected: ExpectedTerms = NOTHING_EXPECTED,
    pay_within: timedelta = PAY_WITHIN,
) -> Bundle:
    """Buy a bundle for a mentee at the product's present price and conditions.

    It is valid from `now` for the product's days of exactly 24 hours each. The expired purchase before it is closed.

    Args:
        mentee_user_id: the owner of the bundle; the caller may act for them.
        expected: the price that the mentee was shown.
        pay_within: how long the payment of a product that is paid before is awaited; none of its credits can be spent
            until then.

    Raises:
        NotFound: no such user, or no such active bundle product of an active course.
        Conflict: `already_purchased`, while the mentee has an open bundle of this course and product;
            `external_id_taken`; `price_changed`, at which the caller rolls back.
    """
    values = {"mentee_user_id": mentee_user_id, "course_id": course_id, "product_id": product_id, "now": now}
    db.execute(_CLOSE_EXPIRED, values)
    named = {"id": uuid7(), "external_id": external_id, "metadata": metadata}
    with constraint_errors():
        row = db.execute(_PURCHASE, {**values, **named, **entry_values(actor=actor, now=now)}).one_or_none()
    if row is None:
        raise NotFound("There is no such bundle for this course.")
    bundle = Bundle.of(row)
    # The statement has read the price that it wrote.
    require_purchase(actor, bundle.price_amount)
    expected.require_price(bundle.price_amount, bundle.price_currency)
    if not bundle.awaits_payment:
        return _sold(db, bundle, actor=actor, now=now)
    record(db, BundleAwaitingPayment.about(bundle, actor=actor, now=now, status=bundle.status_at(now)))
    payment = ask(
        db,
        PaidFor.BUNDLE,
        bundle_purchase_id=bundle.id,
        user_id=mentee_user_id,
        mentor_profile_id=None,
        amount=bundle.price_amount,
        currency=bundle.price_currency,
        due_before=bundle.valid_to,
        pay_within=pay_within,
        actor=actor,
        now=now,
    )
    return replace(bundle, payment=payment)


def open_paid(db: Connection, bundle: Bundle, *, actor: Actor, now: datetime) -> Bundle:
    """Let the credits of a locked bundle be spent, whose payment has arrived or is waived."""
    return _sold(db, Bundle.of(db.execute(_OPEN, {"id": bundle.id}).one()), actor=actor, now=now)


def _sold(db: Connection, bundle: Bundle, *, actor: Actor, now: datetime) -> Bundle:
    purchased = BundlePurchased.about(bundle, actor=actor, now=now, status=bundle.status_at(now))
    record(db, purchased, *validity_events(bundle, actor=actor, now=now))
    return bundle
