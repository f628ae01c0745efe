"""Review a completed session, as one of its mentees."""

from typing import Any

from api.pages.act.action_page import ActionPage, Redirect, Visit, found
from api.pages.page import Field, FieldKind, Form, Page, gettext, page_language
from api.schemas.base import RequestSchema
from api.schemas.fields import QueryWhole, Text
from models.reviews import MAX_TEXT_CHARACTERS
from workflows.action_links.link import holder_of
from workflows.bookings.records import Booking, booking_query
from workflows.identity.access import require_reviewer
from workflows.kernel.language import gettext_noop
from workflows.reviews.actions import ReviewableSession, require_open_permit, reviewable_query, submit

_RATINGS = [
    ("5", gettext_noop("Excellent")),
    ("4", gettext_noop("Very good")),
    ("3", gettext_noop("Good")),
    ("2", gettext_noop("Fair")),
    ("1", gettext_noop("Poor")),
]


class ReviewForm(RequestSchema):
    rating = QueryWhole(1, 5, required=True)
    comment = Text(MAX_TEXT_CHARACTERS, load_default=None)


class ReviewPage(ActionPage):
    answers = ReviewForm()

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit)
        self.session = ReviewableSession.of(found(visit, reviewable_query(self.link.subject_id)))
        self.holder = holder_of(self.db, self.link)
        require_reviewer(self.holder.actor, self.session)
        booking = Booking.of(found(visit, booking_query(self.session.booking_id)))
        assert booking.mentor is not None
        self.mentor = str(booking.mentor["name"])

    def asking(self) -> Page:
        require_open_permit(self.db, self.holder.actor, self.session, now=self.now)
        about = [(gettext("About"), self.session.title)] if self.session.title else []
        rating = Field(
            name="rating",
            kind=FieldKind.CHOICES,
            label=gettext("Your rating"),
            choices=[(value, gettext(label)) for value, label in _RATINGS],
            required=True,
        )
        comment = Field(
            name="comment",
            label=gettext("Your comment"),
            hint=gettext("Shown to everyone, with your first name and initial. You can leave it empty."),
            limit=MAX_TEXT_CHARACTERS,
        )
        when = page_language().local_time(self.session.start_time, self.holder.time_zone)
        return Page(
            title=gettext("How was your session with %(mentor)s?", mentor=self.mentor),
            facts=[*about, (gettext("When"), when)],
            form=Form(submit=gettext("Send review"), fields=[rating, comment]),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        submit(self.db, actor=self.holder.actor, session=self.session, now=self.now, **answers)
        return Page(
            title=gettext("Thank you for your review"),
            paragraphs=[gettext("It is now among the reviews of %(mentor)s, who can answer it.", mentor=self.mentor)],
        )
