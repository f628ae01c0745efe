"""Cancel a session by its policy, or leave a group: what it costs is shown first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.pages.act.action_page import ActionPage, BookingPage, Closed, Redirect, Visit, booking_of, price_of
from api.pages.page import Field, FieldKind, Form, Page, gettext, page_language
from api.schemas.base import RequestSchema
from api.schemas.bookings import GivenReason
from api.schemas.fields import OneLine, QueryFlag, Text
from api.state import app_state
from models.bookings import BookingKind, BookingStatus
from models.sessions import SessionStatus
from workflows.bookings.records import Booking
from workflows.groups.place import read_group, read_place, require_open
from workflows.groups.seats import leave, quote_seat, require_leavable
from workflows.identity.access import has_access
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.language import gettext_noop
from workflows.notifications.texts import returned_credit
from workflows.sessions.cancel import cancel, quote_for
from workflows.sessions.records import SessionWithTerms, accepted_session
from workflows.terms.cancellation import Quote
from workflows.terms.withdrawals import use_withdrawal

_ENDED = {
    SessionStatus.IN_PROGRESS: (gettext_noop("This session has begun"), gettext_noop("It can no longer be cancelled.")),
    SessionStatus.COMPLETED: (
        gettext_noop("This session has taken place"),
        gettext_noop("It can no longer be cancelled."),
    ),
    SessionStatus.CANCELLED: (gettext_noop("This session is cancelled"), gettext_noop("There is nothing left to do.")),
}
_FREE = gettext_noop("There is no fee.")
_CREDIT_KEPT = gettext_noop("The credit that paid for the session is kept as the fee.")
_CHANGED = (
    gettext_noop("The cost has changed"),
    gettext_noop("The page has shown another cost. Please look at it again, and decide."),
)


class CancelForm(RequestSchema):
    """Why a session is cancelled, and whether a refund is requested; `quoted` is the fee that the page has shown."""

    reason = Text(2000, shortest=1, required=True)
    refund_requested = QueryFlag(load_default=False)
    quoted = OneLine(100, load_default=None)


class LeaveForm(GivenReason):
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
            raise Closed(
                gettext_noop("You do not take part in this session"), gettext_noop("There is nothing left to do.")
            )
        if booking.status is not BookingStatus.ACCEPTED or booking.session_id is None:
            raise Closed(
                gettext_noop("There is no session to cancel"), gettext_noop("The request has not been accepted.")
            )
        self.session: SessionWithTerms = accepted_session(self.db, booking.session_id)
        self.quote = quote_for(self.holder.actor, self.session, now=self.now)

    def asking(self) -> Page:
        if self.session.status is not SessionStatus.SCHEDULED:
            raise Closed(*_ENDED[self.session.status])
        if not self.quote.allowed:
            raise Closed(
                gettext_noop("You cannot cancel this session"),
                gettext_noop("Its policy does not allow it. Ask %(name)s to cancel it."),
                name=self.other,
            )
        hint = gettext("Required, and shown to %(name)s.", name=self.other)
        reason = Field(name="reason", label=gettext("Reason"), hint=hint, required=True, limit=2000)
        return Page(
            title=gettext("Cancel your session with %(name)s?", name=self.other),
            facts=self.facts(),
            paragraphs=self._cost_for_mentor() if self.is_mentor else self._cost_for_mentee(),
            form=Form(
                submit=gettext("Cancel session"),
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
            title=gettext("The session is cancelled"),
            facts=self.facts(),
            paragraphs=[*self._outcome(cancelled.cancellation), gettext("All who take part will be notified.")],
        )

    def _refund(self) -> list[Field]:
        if self.is_mentor or not self.quote.refund_amount:
            return []
        label = gettext("I would like %(refund)s back.", refund=self.money(self.quote.refund_amount))
        return [Field(name="refundRequested", kind=FieldKind.CHECKBOX, label=label, value="true")]

    def _cost_for_mentor(self) -> list[str]:
        if self.quote.credit_returned is not None:
            return [f"{gettext(_FREE)} {self._returned(self.quote.credit_valid_to)}"]
        if not self.quote.refund_amount:
            return [gettext(_FREE)]
        refund = self.money(self.quote.refund_amount)
        return [gettext("There is no fee. %(name)s gets %(refund)s back.", name=self.other, refund=refund)]

    def _cost_for_mentee(self) -> list[str]:
        quote, hours = self.quote, self.quote.window_hours
        if quote.late:
            said = [_window_in_words(hours)]
            if quote.credit_returned is False:
                said.append(gettext(_CREDIT_KEPT))
            elif not quote.fee_amount:
                said.append(gettext("There is no fee all the same."))
            else:
                fee = self.money(quote.fee_amount)
                share = gettext(
                    "The fee is %(fee)s, %(percent)s%% of the price.", fee=fee, percent=quote.late_fee_percent
                )
                said.append(share)
                if quote.refund_amount:
                    rest = self.money(quote.refund_amount)
                    said.append(gettext("The other %(refund)s can be refunded.", refund=rest))
            return [" ".join(said)]
        credit = [self._returned(quote.credit_valid_to)] if quote.credit_returned else []
        is_paid = quote.refund_amount > 0 or quote.credit_returned is not None
        if not is_paid or not quote.late_fee_percent:
            return [" ".join([gettext(_FREE), *credit])]
        assert quote.free_until is not None
        free = gettext("There is no fee until %(time)s.", time=self.local_time(quote.free_until))
        return [" ".join([free, *credit])]

    def money(self, amount: int) -> str:
        return page_language().money(amount, self.quote.currency)

    def _returned(self, valid_to: datetime | None, *, is_ahead: bool = True) -> str:
        return returned_credit(
            page_language(),
            valid_to,
            at=self.now,
            time_zone=self.holder.time_zone,
            is_own=not self.is_mentor,
            is_ahead=is_ahead,
        )

    def _outcome(self, stored: Mapping[str, Any]) -> list[str]:
        fee, refund = (stored[name]["amount"] for name in ("fee", "refund"))
        lines = [gettext("The fee is %(fee)s.", fee=self.money(fee)) if fee else gettext(_FREE)]
        if stored["creditReturned"] is False:
            lines = [gettext(_CREDIT_KEPT)]
        if stored["creditReturned"]:
            lines.append(self._returned(self.quote.credit_valid_to, is_ahead=False))
        if refund and self.is_mentor:
            back = gettext("%(refund)s will be refunded to %(name)s.", refund=self.money(refund), name=self.other)
            lines.append(back)
        elif refund:
            lines.append(gettext("%(refund)s will be refunded to you.", refund=self.money(refund)))
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
            raise Closed(gettext_noop("You cannot leave this group session"), refused.message) from refused
        self.cost = quote_seat(self.group, self.place, actor=self.holder.actor, now=self.now)
        require_leavable(self.cost)

    def price(self) -> str:
        return price_of(self.place.bundle_purchase_id, self.place.price_amount or 0, self.cost.currency)

    def asking(self) -> Page:
        hint = gettext("Shown to %(name)s. You can leave it empty.", name=self.other)
        reason = Field(name="reason", label=gettext("Reason"), hint=hint, limit=1000)
        return Page(
            title=gettext("Leave this group session?"),
            facts=self.facts(),
            paragraphs=[self._cost_in_words(self.cost)],
            form=Form(
                submit=gettext("Leave group session"),
                fields=[reason],
                hidden={"quoted": _shown(self.cost)},
                danger=True,
            ),
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
        left = gettext("You have left the group session")
        return Page(title=left, facts=self.facts(), paragraphs=[self._cost_in_words(cost)])

    def _cost_in_words(self, cost: Quote) -> str:
        language = page_language()
        late = _window_in_words(cost.window_hours)
        if self.place.bundle_purchase_id is not None:
            if not cost.credit_returned:
                return f"{late} {gettext('The session that you paid with stays used.')}"
            zone = self.holder.time_zone
            returned = returned_credit(
                language, cost.credit_valid_to, at=self.now, time_zone=zone, is_own=True, is_ahead=True
            )
            return f"{gettext(_FREE)} {returned}"
        fee, refund = (language.money(amount, cost.currency) for amount in (cost.fee_amount, cost.refund_amount))
        said = [late, gettext("The fee is %(fee)s.", fee=fee)] if cost.fee_amount else [gettext(_FREE)]
        if cost.refund_amount:
            said.append(gettext("%(refund)s will be refunded to you.", refund=refund))
        return " ".join(said)


def _window_in_words(hours: int | None) -> str:
    return page_language().ngettext(
        "It is less than %(n)s hour to the start.", "It is less than %(n)s hours to the start.", hours or 0
    )


def _shown(cost: Quote) -> str:
    """The cost as a page has shown it, to be compared."""
    return f"{cost.fee_amount} {cost.refund_amount} {cost.credit_returned}"
