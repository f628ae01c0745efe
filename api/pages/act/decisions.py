"""Accept or decline a request, as its mentor."""

from dataclasses import replace
from typing import Any

from api.pages.act.action_page import BookingPage, Closed, Redirect, Visit
from api.pages.page import Field, Form, Page, gettext, page_language
from api.schemas.bookings import GivenReason
from api.state import app_state
from config.sealing import shown_text
from config.signed_links import Signer
from models.bookings import BookingStatus
from workflows.action_links.link import LINK_PURPOSE, Action
from workflows.bookings.actions import accept, decline
from workflows.bookings.records import Booking
from workflows.identity.access import require_mentor
from workflows.kernel.language import gettext_noop
from workflows.terms.questions import opened_answers, said_in_words

_DECIDED = {
    BookingStatus.ACCEPTED: (
        gettext_noop("You have already accepted this request"),
        gettext_noop("The session is booked."),
    ),
    BookingStatus.AWAITING_PAYMENT: (
        gettext_noop("You have already accepted this request"),
        gettext_noop("The session is booked once it is paid."),
    ),
    BookingStatus.DECLINED: (
        gettext_noop("You have already declined this request"),
        gettext_noop("There is nothing left to do."),
    ),
    BookingStatus.CANCELLED: (
        gettext_noop("This request is no longer open"),
        gettext_noop("It was withdrawn, or it has expired. There is nothing left to do."),
    ),
}


class _DecisionPage(BookingPage):
    def __init__(self, visit: Visit, booking: Booking | None = None) -> None:
        super().__init__(visit, booking)
        require_mentor(self.holder.actor, self.booking)
        if self.booking.status is not BookingStatus.DRAFT:
            raise Closed(*_DECIDED[self.booking.status])

    def request(self) -> list[tuple[str, str]]:
        notes = shown_text(self.booking.notes) if self.booking.notes else None
        answers = [
            (each["label"], said_in_words(each["value"], page_language()))
            for each in opened_answers(self.booking.answers, shown_text)
        ]
        return [*self.facts(), *([(gettext("Message"), notes)] if notes else []), *answers]

    def instead(self, words: str, action: Action) -> tuple[str, str]:
        other = replace(self.link, action=action)
        return words, Signer(app_state().settings.signing_keys, LINK_PURPOSE).sign(other.to_text())


class AcceptPage(_DecisionPage):
    advice = {  # noqa: RUF012
        "slot_taken": gettext_noop(
            "You or the mentee are already booked at this time, so the request cannot be accepted. You can still"
            " decline it."
        ),
        "outside_hours": gettext_noop(
            "You have time off at this time, so the request cannot be accepted. You can still decline it."
        ),
    }

    def asking(self) -> Page:
        """Ask whether to accept; a start that has passed is refused."""
        if self.booking.start_time <= self.now:
            raise Closed(gettext_noop("This request is no longer open"), gettext_noop("Its start time has passed."))
        return Page(
            title=gettext("Accept the request from %(name)s?", name=self.other),
            facts=self.request(),
            form=Form(submit=gettext("Accept request")),
            besides=self.instead(gettext("Decline it instead"), Action.DECLINE),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:  # noqa: ARG002
        state = app_state()
        accepted = accept(
            self.db,
            actor=self.holder.actor,
            booking=self.booking,
            now=self.now,
            mentee_overlap=state.settings.mentee_overlap,
            pay_within=state.pay_within,
        )
        booked = gettext_noop("The session is being booked. %(name)s and you will get a mail with the details.")
        if accepted.awaits_payment:
            booked = gettext_noop("The session is booked as soon as %(name)s has paid. Until then, your time is kept.")
        return Page(
            title=gettext("You have accepted the request"),
            facts=self.facts(),
            paragraphs=[gettext(booked, name=self.other)],
        )


class DeclinePage(_DecisionPage):
    """Decline a request, with a reason if the mentor likes."""

    answers = GivenReason()

    def asking(self) -> Page:
        label = gettext("A message to %(name)s", name=self.other)
        reason = Field(name="reason", label=label, hint=gettext("You can leave it empty."), limit=1000)
        return Page(
            title=gettext("Decline the request from %(name)s?", name=self.other),
            facts=self.request(),
            form=Form(submit=gettext("Decline request"), fields=[reason], danger=True),
            besides=self.instead(gettext("Accept it instead"), Action.ACCEPT),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        decline(self.db, actor=self.holder.actor, booking=self.booking, now=self.now, **answers)
        return Page(
            title=gettext("You have declined the request"),
            paragraphs=[gettext("%(name)s will be notified. Nothing is booked.", name=self.other)],
        )
