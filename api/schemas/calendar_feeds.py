"""Outside calendars of mentors."""

from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import OPTIONAL, Choice, Id, Line, Moment
from workflows.availability.feeds import FeedStatus
from workflows.kernel.address import MAX_URL_CHARACTERS


class NewCalendarFeed(RequestSchema):
    url = Line(
        MAX_URL_CHARACTERS,
        required=True,
        metadata={
            "example": "https://calendar.example/private-8f2c/basic.ics",
            "description": "An iCalendar file, by https or webcal. Stored encrypted, and not shown again.",
        },
    )
    name = Line(200, **OPTIONAL, metadata={"example": "Private"})


class CalendarFeed(ResponseSchema):
    """An outside calendar: while it has an entry, the mentor cannot be booked."""

    id = Id()
    name = fields.String(allow_none=True)
    url = fields.String(metadata={"description": "Without its path, which is a secret."})
    status = Choice(
        FeedStatus, metadata={"description": "`pending` until it has been read; `stale` when that was too long ago."}
    )
    last_fetched_at = Moment(
        attribute="fetched_at", allow_none=True, metadata={"description": "When it could be read last."}
    )
    last_error = fields.String(
        allow_none=True, metadata={"description": "Why it could not be read since; null where it could."}
    )
    next_fetch_at = Moment(metadata={"description": "When it is read again."})
    created_at = Moment()


CalendarFeeds = page_of(CalendarFeed, "CalendarFeeds")


class CalendarFeedFilters(ListQuery):
    """The page of a mentor's outside calendars."""
