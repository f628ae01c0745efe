"""Accept or decline another time of a session, as the party to whom it was proposed."""

from typing import Any

from sqlalchemy import select

from api.pages.act.action_page import BookingPage, Closed, Redirect, Visit, found
from api.pages.page import Form, Page, gettext
from api.state import app_state
from models.sessions import ProposalStatus, SessionStatus, reschedule_proposals
from workflows.bookings.records import Booking, booking_query
from workflows.kernel.language import gettext_noop
from workflows.sessions.moving import accept_proposal, decline_proposal
from workflows.sessions.records import SESSION_WITH_PROPOSAL, SessionWithProposal

_ENDED = {
    ProposalStatus.ACCEPTED: (
        gettext_noop("You have already accepted this time"),
        gettext_noop("The session is booked."),
    ),
    ProposalStatus.DECLINED: (
        gettext_noop("You have already declined this time"),
        gettext_noop("There is nothing left to do."),
    ),
    ProposalStatus.EXPIRED: (
        gettext_noop("This proposal has expired"),
        gettext_noop("It was not answered in time, or the session has changed."),
    ),
    ProposalStatus.WITHDRAWN: (
        gettext_noop("This proposal was withdrawn"),
        gettext_noop("There is nothing left to do."),
    ),
}


class _ProposalPage(BookingPage):
    def __init__(self, visit: Visit) -> None:
        ids, proposal = {"proposal_id": visit.link.subject_id}, reschedule_proposals.c
        of_proposal = select(proposal.session_id).where(proposal.id == visit.link.subject_id)
        ids["session_id"] = found(visit, of_proposal).session_id
        self.session = SessionWithProposal.of(visit.db.execute(SESSION_WITH_PROPOSAL, ids).one())
        super().__init__(visit, Booking.of(found(visit, booking_query(self.session.booking_id))))
        self.proposal = self.session.asked
        if not self.proposal.is_open:
            raise Closed(*_ENDED[self.proposal.status])
        if self.proposal.expires_at <= self.now or self.session.status is not SessionStatus.SCHEDULED:
            raise Closed(*_ENDED[ProposalStatus.EXPIRED])

    def both_times(self) -> list[tuple[str, str]]:
        """The facts with the new time before the present one, and the reason."""
        when = gettext("When")
        present = [(gettext("Present time") if name == when else name, fact) for name, fact in self.facts()]
        reason = [(gettext("Reason"), self.proposal.reason)] if self.proposal.reason else []
        return [(gettext("New time"), self.local_time(self.proposal.start_time)), *present, *reason]


class AcceptTimePage(_ProposalPage):
    advice = {  # noqa: RUF012
        "slot_taken": gettext_noop("One of you is already booked at the new time. The session keeps its time."),
        "outside_hours": gettext_noop("The mentor cannot be booked at the new time. The session keeps its time."),
        "too_soon": gettext_noop("The new time is too close by now. The session keeps its time."),
        "booking_limit": gettext_noop("The mentor takes no further session then. The session keeps its time."),
    }

    def asking(self) -> Page:
        return Page(
            title=gettext("Accept the time that %(name)s proposes?", name=self.other),
            facts=self.both_times(),
            form=Form(submit=gettext("Accept new time")),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:  # noqa: ARG002
        accept_proposal(
            self.db,
            actor=self.holder.actor,
            session=self.session,
            proposal=self.proposal,
            policy=app_state().policy,
            now=self.now,
        )
        facts = [(gettext("With"), self.other), (gettext("When"), self.local_time(self.proposal.start_time))]
        return Page(title=gettext("The session has a new time"), facts=facts)


class DeclineTimePage(_ProposalPage):
    def asking(self) -> Page:
        return Page(
            title=gettext("Decline the time that %(name)s proposes?", name=self.other),
            facts=self.both_times(),
            form=Form(submit=gettext("Decline new time"), danger=True),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:  # noqa: ARG002
        about: dict[str, Any] = {"actor": self.holder.actor, "session": self.session, "now": self.now}
        decline_proposal(self.db, proposal=self.proposal, **about)
        return Page(title=gettext("The session keeps its time"), facts=self.facts())
