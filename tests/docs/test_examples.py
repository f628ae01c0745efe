"""Tests of the examples in the documentation: shapes, messages and the code that partners are given."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

import pytest

from api.schemas.analytics import SessionCounts
from api.schemas.availability import NewWeeklyHours, WeeklyHours
from api.schemas.base import ErrorBody, camel
from api.schemas.bookings import NewIndividualBooking
from api.schemas.bundles import Bundle
from api.schemas.calendar_feeds import CalendarFeed
from api.schemas.questions import NewQuestion
from api.schemas.reviews import Review
from api.schemas.seats import SeatCancelled
from api.schemas.sessions import Session
from models.sessions import SessionStatus
from tests.docs.pages import DOCS, blocks
from workflows.analytics.counts import COUNTS, SUBJECTS, Grouping
from workflows.availability.hours import Span
from workflows.events.event_types import SessionCompleted
from workflows.kernel.errors import InvalidTransition
from workflows.sessions.actions import SESSION_MACHINE
from workflows.sessions.records import Session as SessionRecord
from workflows.webhooks.messages import body_of

QUESTIONS, SESSION, REFUSAL = (json.loads(block) for block in blocks(DOCS / "sessions.md", "json"))
(MESSAGE,) = (json.loads(block) for block in blocks(DOCS / "webhooks.md", "json"))


def test_the_session_has_every_field_of_an_answer_and_no_other() -> None:
    assert Session().validate(SESSION) == {}


def test_the_questions_can_be_asked() -> None:
    assert NewQuestion(many=True).validate(QUESTIONS) == {}


def test_the_requests_for_sessions_of_a_course_can_be_sent() -> None:
    once, series, *_answers = (json.loads(block) for block in blocks(DOCS / "courses.md", "json"))
    assert [NewIndividualBooking().validate(each) for each in (once, series)] == [{}, {}]


def test_the_bundle_and_the_cost_of_leaving_have_fields_of_answers() -> None:
    *_requests, bundle, left = (json.loads(block) for block in blocks(DOCS / "courses.md", "json"))
    assert {*bundle} <= {camel(name) for name in Bundle().fields}
    assert {*left["cancellation"]} == {camel(name) for name in SeatCancelled().fields}


def test_the_review_has_every_field_of_an_answer_and_no_other() -> None:
    (review,) = (json.loads(block) for block in blocks(DOCS / "reviews.md", "json"))
    assert Review().validate(review) == {}


def test_hours_and_calendars_have_the_fields_of_answers() -> None:
    hours, feed = (json.loads(block) for block in blocks(DOCS / "availability.md", "json"))
    asked = {name: hours[name] for name in ("timeZone", "hours")}
    assert NewWeeklyHours().load(asked)["hours"] == [Span(0, 540, 750)]
    assert set(WeeklyHours().fields[name].data_key for name in WeeklyHours().fields) == {*hours}
    assert {camel(name) for name in CalendarFeed().fields} == {*feed}


def test_the_example_counts_fit_their_schema() -> None:
    (counts,) = (json.loads(block) for block in blocks(DOCS / "analytics.md", "json"))
    assert SessionCounts().validate(counts) == {}
    (week,) = counts["items"]
    assert [*week] == [camel(name) for name in (*SUBJECTS[Grouping.WEEK], *COUNTS)]


def test_the_refusal_has_the_one_shape_and_the_sentence_that_is_said() -> None:
    assert ErrorBody().validate(REFUSAL) == {}
    with pytest.raises(InvalidTransition) as refused:
        SESSION_MACHINE.require_transition(_scheduled(), SessionStatus.COMPLETED)
    assert (refused.value.code, refused.value.message) == (REFUSAL["code"], REFUSAL["message"])


def test_the_webhook_message_is_the_one_that_is_sent() -> None:
    told = MESSAGE["data"]
    event = SessionCompleted(
        id=UUID(MESSAGE["id"]),
        actor="system",
        occurred_at=datetime.fromisoformat(MESSAGE["timestamp"]),
        sequence=MESSAGE["sequence"],
        session_id=UUID(told["sessionId"]),
        booking_id=UUID(told["bookingId"]),
        mentor_profile_id=UUID(told["mentorProfileId"]),
        mentee_user_id=UUID(told["menteeUserId"]),
        status=told["status"],
        start_time=datetime.fromisoformat(told["startTime"]),
        end_time=datetime.fromisoformat(told["endTime"]),
        version=told["version"],
    )
    assert json.loads(body_of(event)) == MESSAGE


def _scheduled() -> SessionRecord:
    loaded = Session(exclude=("join_url",)).load({name: value for name, value in SESSION.items() if name != "joinUrl"})
    own = {name: value for name, value in loaded.items() if name in SessionRecord.__dataclass_fields__}
    return SessionRecord(version=1, course_id=None, room=None, **own)
