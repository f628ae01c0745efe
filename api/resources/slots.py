"""Slots: the times at which mentors can be booked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import jsonify
from sqlalchemy.sql.expression import TextualSelect

from api.blueprints import refuses
from api.context import ANYONE, RequestContext, Subject
from api.loaders import reads
from api.resources.availability import availability
from api.resources.catalog import COURSE
from api.schemas import slots as shapes
from api.schemas.fields import Moment
from api.state import app_state
from workflows.availability.dates import CalendarOwner, calendar_owner_query
from workflows.availability.slots import (
    OF_COURSE,
    OF_LISTING,
    OF_LISTING_OF_COURSE,
    OF_MENTOR,
    Slot,
    Wanted,
    find_slots,
)
from workflows.catalog.courses import Course
from workflows.identity.people import time_zone_of

MENTOR = Subject(name="mentor", query=calendar_owner_query, record=CalendarOwner)
REFUSED = shapes.RefusedSlot()
EXAMPLE = {
    "items": [
        {
            "startTime": "2030-05-04T09:00:00Z",
            "endTime": "2030-05-04T10:00:00Z",
            "mentorProfileIds": ["0190b6a2-7c1e-7d10-8a44-97ab5cf5cfd6"],
        }
    ]
}


@availability.route("/mentors/<id:mentor_profile_id>/slots")
@refuses("invalid_request", "no_listing")
@reads(ANYONE, MENTOR)
@availability.arguments(shapes.SlotQuery, location="query")
@availability.response(200, shapes.Slots, example=EXAMPLE)
def list_mentor_slots(context: RequestContext[CalendarOwner], query: dict[str, Any]) -> Any:
    """List the times at which a mentor can be booked.

    The grid counts from each opening, or from local midnight where every time is open. It shapes what is offered: other
    times can be booked too, where the same rules allow them. Times at which the caller is booked elsewhere are left
    out.
    """
    return _slots(context, query, context.subject.mentor_profile_id, OF_MENTOR, OF_LISTING)


@availability.route("/courses/<id:course_id>/slots")
@refuses("invalid_request", "no_listing")
@reads(ANYONE, COURSE)
@availability.arguments(shapes.SlotQuery, location="query")
@availability.response(200, shapes.Slots, example=EXAMPLE)
def list_course_slots(context: RequestContext[Course], query: dict[str, Any]) -> Any:
    """List the times at which any mentor of a course can be booked, with the mentors who are free then."""
    return _slots(context, query, context.subject.id, OF_COURSE, OF_LISTING_OF_COURSE)


def _slots(
    context: RequestContext[Any], query: dict[str, Any], subject_id: UUID, of_any: TextualSelect, of_one: TextualSelect
) -> Any:
    listing_id = query.get("listing_id")
    wanted = Wanted(
        start=query["from_"],
        end=query["to"],
        duration_minutes=query["duration_minutes"],
        step_minutes=query.get("step_minutes"),
        time_zone=query.get("time_zone") or time_zone_of(context.db, context.actor),
    )
    slots, refused = find_slots(
        context.db,
        of_one if listing_id else of_any,
        subject_id,
        wanted,
        actor=context.actor,
        now=context.now,
        listing_id=listing_id,
        explain=query["explain"],
        mentee_overlap=app_state().settings.mentee_overlap,
    )
    # Not by the schema: thousands of slots took it longer than finding them.
    shown: dict[str, Any] = {"items": [_shown_slot(slot) for slot in slots]}
    if query["explain"]:
        shown["refused"] = [REFUSED.dump(each) for each in refused]
    return jsonify(shown)


def _shown_slot(slot: Slot) -> dict[str, Any]:
    start, end = Moment.write(slot.start_time), Moment.write(slot.end_time)
    return {"startTime": start, "endTime": end, "mentorProfileIds": list(map(str, slot.mentor_profile_ids))}
