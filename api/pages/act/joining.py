"""Join a session online, from its early start on."""

from typing import Any
from urllib.parse import urlsplit

from api.pages.act.action_page import BookingPage, Closed, Redirect, Visit
from api.pages.page import Form, Page, gettext
from api.state import app_state
from models.bookings import BookingStatus
from models.sessions import SessionStatus
from workflows.identity.access import has_access
from workflows.kernel.language import gettext_noop
from workflows.sessions.meeting import is_open, opens_at
from workflows.sessions.records import accepted_session

_OVER = {
    SessionStatus.COMPLETED: (gettext_noop("This session is over"), gettext_noop("It has been completed.")),
    SessionStatus.CANCELLED: (gettext_noop("This session is cancelled"), gettext_noop("There is nothing to join.")),
}


class JoinPage(BookingPage):
    """Lead to the meeting; this changes nothing here, so that the link can be used again."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit)
        if not has_access(self.holder.actor, self.booking):
            raise Closed(
                gettext_noop("You do not take part in this session"), gettext_noop("There is nothing left to do.")
            )
        if self.booking.status is not BookingStatus.ACCEPTED or self.booking.session_id is None:
            raise Closed(
                gettext_noop("There is no session to join"), gettext_noop("The request has not been accepted.")
            )
        self.session = accepted_session(self.db, self.booking.session_id)

    def asking(self) -> Page:
        link = self._link()
        parts = urlsplit(link)
        return Page(
            title=gettext("Join your session with %(name)s?", name=self.other),
            facts=self.facts(),
            paragraphs=[gettext("The meeting is at %(host)s.", host=parts.netloc)],
            form=Form(submit=gettext("Join session"), leads_to=f"{parts.scheme}://{parts.netloc}"),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:  # noqa: ARG002
        return Redirect(self._link())

    def _link(self) -> str:
        session = self.session
        if session.status in _OVER:
            raise Closed(*_OVER[session.status])
        link = app_state().meetings.link_to(session.location, session.room)
        if link is None:
            raise Closed(
                gettext_noop("This session is not online"),
                gettext_noop("The place is in the mail and in the application."),
            )
        if not is_open(session, now=self.now):
            assert session.early_start_minutes is not None
            raise Closed(
                gettext_noop("This session is not open yet"),
                gettext_noop("You can join it from %(time)s on, with the same link."),
                time=self.local_time(opens_at(session.start_time, session.early_start_minutes)),
            )
        return link
