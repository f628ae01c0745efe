"""The page of the payment provider at which a payment can be paid: one at a time, and none once nobody waits for it.

The provider is asked between two transactions. Of pages that two requests had made, the first that is kept is given to
both: nobody learns the address of the other.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from models.base import sql
from models.payments import PaidFor, PaymentStatus
from workflows.events.event_types import PaymentPageOutdated
from workflows.identity.actor import Actor
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.language import gettext_noop, language_of
from workflows.payments.news import tell
from workflows.payments.records import PAID_FOR, Payment, locked

# Of a page that is about to close, nobody is given the address.
SHORTEST_USE = timedelta(minutes=1)
_TITLES = {
    PaidFor.BOOKING: gettext_noop("Session with %(named)s"),
    PaidFor.SERIES: gettext_noop("Sessions with %(named)s"),
    PaidFor.SEAT: gettext_noop("Seat in the group session with %(named)s"),
    PaidFor.BUNDLE: gettext_noop("Bundle for %(named)s"),
}
_KEEP = sql(
    """
UPDATE payments SET checkout_id = :page, checkout_url = :url, checkout_expires_at = :expires_at
WHERE id = :payment_id
"""
)


def title_of(db: Connection, payment: Payment) -> str:
    """What is paid, in words of the language of who owes it."""
    about = db.execute(PAID_FOR, {"id": payment.id}).one()
    return language_of(about.locale).gettext(_TITLES[payment.paid_for], named=about.course or about.mentor)


def open_page(payment: Payment, *, now: datetime) -> str | None:
    """The address of the page at which a payment can be paid; None once it has expired.

    Raises:
        InvalidTransition: nobody waits for the payment.
    """
    if payment.status is not PaymentStatus.AWAITING or payment.due_at <= now:
        raise InvalidTransition("This payment is not awaited: there is nothing to pay.")
    if payment.checkout_expires_at is None or payment.checkout_expires_at <= now + SHORTEST_USE:
        return None
    return payment.checkout_url


def outdate_page(db: Connection, payment: Payment, *, actor: Actor, now: datetime) -> None:
    """Have the page of a payment closed, if it has an open one: nobody waits for the payment any longer."""
    if payment.checkout_expires_at is not None and payment.checkout_expires_at > now:
        tell(db, PaymentPageOutdated, payment, actor=actor, now=now)


def keep_page(db: Connection, payment: Payment, *, id: str, url: str, expires_at: datetime, now: datetime) -> str:
    """Keep a page that was just made, unless another one was kept meanwhile; the address of the one that is kept.

    Raises:
        InvalidTransition: the payment is no longer awaited.
    """
    kept = open_page(locked(db, payment.id), now=now)
    if kept is not None:
        return kept
    db.execute(_KEEP, {"payment_id": payment.id, "page": id, "url": url, "expires_at": expires_at})
    return url
