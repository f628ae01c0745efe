"""State of the application in one process: settings, database, wake-ups, and the slots for waiting requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app
from sqlalchemy import Engine

from api.audit.refused_accesses import RefusedAccesses
from api.authentication.authenticator import Authenticator
from api.http.headers import AnswerHeaders
from api.limits.rate_limits import RateLimits
from api.readiness import Readiness
from config.sealing import Sealer
from config.settings import Settings
from infrastructure.operator_policy import brand, operator_policy
from infrastructure.transactions import Transactions, WakeupSink
from infrastructure.wakeups import WakeupQueue
from models.payments import PaymentMode
from workflows.bookings.insert import BookingPolicy, DraftLimits
from workflows.identity.actor import Actor
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.texts import Brand
from workflows.sessions.meeting import MeetingService
from workflows.webhooks.quotas import MessageQuotas

if TYPE_CHECKING:
    # With its library, where it is configured alone.
    from infrastructure.stripe_provider import StripeProvider

EXTENSION = "tutelage"
_FLUSH_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class AppState:
    """State of one process, made after the fork, which neither connections nor threads survive."""

    settings: Settings
    headers: AnswerHeaders
    engine: Engine
    wakeups: WakeupSink
    transactions: Transactions
    readiness: Readiness
    sealer: Sealer
    authenticator: Authenticator
    rate_limits: RateLimits
    waiting_places: BoundedSemaphore
    refused_accesses: RefusedAccesses
    stripe: StripeProvider | None

    @property
    def booking_policy(self) -> BookingPolicy:
        return BookingPolicy(
            mentee_overlap=self.settings.mentee_overlap,
            closed_without_hours=self.settings.closed_without_hours,
            draft_limits=DraftLimits(self.settings.max_open_drafts_per_mentor, self.settings.max_open_drafts),
            pay_within=self.pay_within,
        )

    @property
    def pay_within(self) -> timedelta:
        """How long a payment is awaited."""
        return timedelta(minutes=self.settings.payment_minutes)

    def with_payment_mode(self, offer: dict[str, Any]) -> dict[str, Any]:
        """The columns of a new offer; it is paid as the operator chose, unless it says when itself."""
        return {"payment_mode": PaymentMode(self.settings.payment_default), **offer}

    def as_purchaser(self, actor: Actor) -> Actor:
        """The caller; a person who signed in themselves may not book what costs where the operator chose so."""
        if self.settings.mentee_purchases == "on" or actor.operator or actor.staff is not None:
            return actor
        return replace(actor, purchases=False)

    @property
    def policy(self) -> OperatorPolicy:
        """The operator's choices that actions and effects use."""
        return operator_policy(self.settings)

    @property
    def message_quotas(self) -> MessageQuotas:
        chosen = self.settings
        return MessageQuotas(
            chosen.webhook_pings_per_hour, chosen.webhook_resends_per_hour, chosen.webhook_recoveries_per_hour
        )

    @property
    def brand(self) -> Brand:
        return brand(self.settings)

    @property
    def meetings(self) -> MeetingService:
        return MeetingService(self.settings.meeting_url)

    def close(self) -> None:
        """Write and publish what is pending, and close the database connections."""
        self.refused_accesses.close()
        if self.stripe is not None:
            self.stripe.close()
        if isinstance(self.wakeups, WakeupQueue):
            self.wakeups.flush(_FLUSH_SECONDS)
        self.engine.dispose()
        self.readiness.close()


def app_state() -> AppState:
    return state_of(current_app)


def state_of(app: Flask) -> AppState:
    return cast(AppState, app.extensions[EXTENSION])
