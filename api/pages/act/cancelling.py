"""Cancel a session by its policy, or leave a group: what it costs is shown first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.pages.act.action_page import ActionPage, BookingPage, Closed, Redirect, Visit, booking_of, price_of
from api.pages.page import Field, FieldKind, Form, Page
from api.schemas.base import RequestSchema
from api.schemas.bookings import Reason
from api.schemas.fields import OneLine, QueryFlag, Text
from api.state import app_state
from models.bookings import BookingKind, BookingStatus
from models.sessions import SessionStatus
from workflows.bookings.records import Booking
from workflows.groups.place import read_group, read_place, require_open
from workflows.groups.seats import leave, quote_seat, require_leavable
from workflows.identity.access import has_access
from workflows.kernel.clock import local_time
from workflows.kernel.errors import InvalidTransition
from workflows.notifications.texts import money, returned_credit
from workflows.sessions.cancel import cancel, quote_for
from workflows.sessions.records import SessionWithTerms, accepted_session
from workflows.terms.cancellation import Quote
from workflows.terms.withdrawals import use_withdrawal

_ENDED = {
    SessionStatus.IN_PROGRESS: ("This session has begun", "It can no longer be cancelled."),
    SessionStatus.COMPLETED: ("This session has taken place", "It can no longer be cancelled."),
    SessionStatus.CANCELLED: ("This session is cancelled", "There is nothing left to do."),
}
_CHANGED = ("The cost has changed", "The page has shown another cost. Please look at it again, and decide.")


class CancelForm(RequestSchema):
    """Why a session is cancelled, and whether a refund is requested; `quoted` is the fee that the page has shown."""

    reason = Text(2000, shortest=1, required=True)
    refund_requested = QueryFlag(load_default=False)
    quoted = OneLine(100, load_default=None)


class LeaveForm(Reason):
    quoted = OneLine(100, load_default=None)


def cancel_page(visit: Visit) -> ActionPage:
    """The page by which a reader cancels what they are a party of: a session, or their own seat in a group."""
    booking = booking_of(visit)
    is_participant = booking.kind is BookingKind.GROUP and visit.link.user_id in (booking.participant_ids or ())
    return LeavePage(visit, booking) if is_participant else CancelPage(visit, booking)


def require_quoted(quoted: str | None, shown: str) -> None:
    """Refuse a form whose page has shown another fee. Raises Closed: it has."""
    if quoted not in (None, shown):
        raise Closed(*_CHANGED, has_changed=True)


def count_withdrawal(page: BookingPage) -> None:
    """Count what is cancelled or left, as the routes for programs do.

    Raises:
        RateLimited: the mentee has done so too often.
    """
    use_withdrawal(page.db, page.holder.actor, page.booking, limit=app_state().settings.max_withdrawals_per_day)


class CancelPage(BookingPage):
    answers = CancelForm()

    def __init__(self, visit: Visit, booking: Booking) -> None:
        super().__init__(visit, booking)
        if not has_access(self.holder.actor, booking):
            raise Closed("You do not take part in this session", "There is nothing left to do.")
        if booking.status is not BookingStatus.ACCEPTED or booking.session_id is None:
            raise Closed("There is no session to cancel", "The request has not been accepted.")
        self.session: SessionWithTerms = accepted_session(self.db, booking.session_id)
        self.quote = quote_for(self.holder.actor, self.session, now=self.now)

    def asking(self) -> Page:
        if self.session.status is not SessionStatus.SCHEDULED:
            raise Closed(*_ENDED[self.session.status])
        if not self.quote.allowed:
            raise Closed(
                "You cannot cancel this session", f"Its policy does not allow it. Ask {self.other} to cancel it."
            )
        reason = Field(
            name="reason", label="Reason", hint=f"Required, and shown to {self.other}.", required=True, limit=2000
        )
        return Page(
            title=f"Cancel your session with {self.other}?",
            facts=self.facts(),
            paragraphs=self._cost_for_mentor() if self.is_mentor else self._cost_for_mentee(),
            form=Form(
                submit="Cancel session",
                fields=[reason, *self._refund()],
                hidden={"quoted": _shown(self.quote)},
                danger=True,
            ),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        """Cancel it, at the cost that was shown."""
        require_quoted(answers.pop("quoted"), _shown(self.quote))
        count_withdrawal(self)
        cancelled = cancel(self.db, actor=self.holder.actor, session=self.session, now=self.now, **answers)
        assert cancelled.cancellation is not None
        return Page(
            title="The session is cancelled",
            facts=self.facts(),
            paragraphs=[
                *self._outcome(cancelled.cancellation),
                f"{self.other[0].upper()}{self.other[1:]} will be notified.",
            ],
        )

    def _refund(self) -> list[Field]:
        if self.is_mentor or not self.quote.refund_amount:
            return []
        refund = money(self.quote.refund_amount, self.quote.currency)
        label = f"I would like {refund} back."
        return [Field(name="refundRequested", kind=FieldKind.CHECKBOX, label=label, value="true")]

    def _cost_for_mentor(self) -> list[str]:
        if self.quote.credit_returned is not None:
            return [f"There is no fee. {self._returned(self.quote.credit_valid_to)}"]
        if not self.quote.refund_amount:
            return ["There is no fee."]
        return [f"There is no fee. {self.other} gets {money(self.quote.refund_amount, self.quote.currency)} back."]

    def _cost_for_mentee(self) -> list[str]:
        quote, hours = self.quote, self.quote.window_hours
        if quote.late:
            window = f"It is less than {hours} hours to the start."
            if quote.credit_returned is False:
                return [f"{window} The credit that paid for the session is kept as the fee."]
            if not quote.fee_amount:
                return [f"{window} There is no fee all the same."]
            fee, rest = (money(amount, quote.currency) for amount in (quote.fee_amount, quote.refund_amount))
            others = f" The other {rest} can be refunded." if quote.refund_amount else ""
            return [f"{window} The fee is {fee}, {quote.late_fee_percent}% of the price.{others}"]
        credit = f" {self._returned(quote.credit_valid_to)}" if quote.credit_returned else ""
        is_paid = quote.refund_amount > 0 or quote.credit_returned is not None
        if not is_paid or not quote.late_fee_percent:
            return [f"There is no fee.{credit}"]
        assert quote.free_until is not None
        until = local_time(quote.free_until, self.holder.time_zone)
        return [f"There is no fee until {until}.{credit}"]

    def _returned(self, valid_to: datetime | None, verb: str = "goes back to") -> str:
        bundle = f"the bundle of {self.other}" if self.is_mentor else "your bundle"
        credit, zone = "The credit that paid for it", self.holder.time_zone
        return returned_credit(credit, valid_to, at=self.now, bundle=bundle, time_zone=zone, verb=verb)

    def _outcome(self, stored: Mapping[str, Any]) -> list[str]:
        fee, refund = (stored[name]["amount"] for name in ("fee", "refund"))
        lines = [f"The fee is {money(fee, self.quote.currency)}."] if fee else ["There is no fee."]
        if stored["creditReturned"] is False:
            lines = ["The credit that paid for the session is kept as the fee."]
        if stored["creditReturned"]:
            lines.append(self._returned(self.quote.credit_valid_to, verb="is back in"))
        if refund:
            payee = self.other if self.is_mentor else "you"
            lines.append(f"{money(refund, self.quote.currency)} will be refunded to {payee}.")
        return [" ".join(lines)]


class LeavePage(BookingPage):
    answers = LeaveForm()

    def __init__(self, visit: Visit, booking: Booking) -> None:
        super().__init__(visit, booking)
        self.group = read_group(self.db, booking.id)
        self.place = read_place(self.db, booking.id, self.link.user_id)
        try:
            require_open(self.group, self.place, now=self.now)
        except InvalidTransition as refused:
            raise Closed("You cannot leave this group session", refused.message) from refused
        self.cost = quote_seat(self.group, self.place, actor=self.holder.actor, now=self.now)
        require_leavable(self.cost)

    def price(self) -> str:
        return price_of(self.place.bundle_purchase_id, self.place.price_amount or 0, self.cost.currency)

    def asking(self) -> Page:
        reason = Field(
            name="reason", label="Reason", hint=f"Shown to {self.other}. You can leave it empty.", limit=1000
        )
        return Page(
            title="Leave this group session?",
            facts=self.facts(),
            paragraphs=[self._cost_in_words(self.cost)],
            form=Form(submit="Leave group session", fields=[reason], hidden={"quoted": _shown(self.cost)}, danger=True),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        """Leave it, at the cost that was shown."""
        require_quoted(answers.pop("quoted"), _shown(self.cost))
        count_withdrawal(self)
        _group, cost = leave(
            self.db,
            actor=self.holder.actor,
            group=self.group,
            mentee_user_id=self.link.user_id,
            now=self.now,
            policy=app_state().policy,
            **answers,
        )
        return Page(title="You have left the group session", facts=self.facts(), paragraphs=[self._cost_in_words(cost)])

    def _cost_in_words(self, cost: Quote) -> str:
        late = f"It is less than {cost.window_hours} hours to the start: "
        if self.place.bundle_purchase_id is not None:
            if not cost.credit_returned:
                return f"{late}the session that you paid with stays used."
            returned = returned_credit(
                "The session that you paid with",
                cost.credit_valid_to,
                at=self.now,
                bundle="your bundle",
                time_zone=self.holder.time_zone,
                verb="goes back to",
            )
            return f"There is no fee. {returned}"
        fee, refund = (money(amount, cost.currency) for amount in (cost.fee_amount, cost.refund_amount))
        refunded = f"; {refund} will be refunded to you" if cost.refund_amount else ""
        return f"{late}the fee is {fee}{refunded}." if cost.fee_amount else f"There is no fee{refunded}."


def _shown(cost: Quote) -> str:
    """The cost as a page has shown it, to be compared."""
    return f"{cost.fee_amount} {cost.refund_amount} {cost.credit_returned}"
