"""Slots: the times at which mentors can be booked."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from flask import Response

from api.http.compression import compressed
from api.http.etags import cacheable
from api.limits.hooks import charge
from api.resources.availability import CALENDAR, availability
from api.resources.catalog import COURSE
from api.routes.blueprints import refuses
from api.routes.context import VISITOR, RequestContext
from api.routes.loaders import reads
from api.schemas import slots as shapes
from api.schemas.fields import Moment
from api.state import app_state
from workflows.accounts.records import time_zone_of
from workflows.availability.dates import CalendarOwner
from workflows.availability.slots import (
    OF_COURSE,
    OF_LISTING,
    OF_LISTING_OF_COURSE,
    OF_MENTOR,
    FoundSlots,
    ListingsStatement,
    Slots,
    Wanted,
    find_slots,
)
from workflows.catalog.courses import Course

# The application takes the area from here, with these routes in it.
__all__ = ["availability"]

REFUSED = shapes.RefusedSlot()
# As many starts count as one request more towards the rate limits. A mentor's month has fewer.
STARTS_PER_REQUEST = 5_000
ITEMS_PER_CHUNK = 1_000
# A search has 8,832 quarters of an hour, and the next search has nearly the same.
WRITTEN_TIMES = 16_384
EXAMPLE = {
    "durationMinutes": 60,
    "items": [
        {
            "startTime": "2030-05-04T09:00:00Z",
            "endTime": "2030-05-04T10:00:00Z",
            "mentorProfileIds": ["0190b6a2-7c1e-7d10-8a44-97ab5cf5cfd6"],
        }
    ],
}


@availability.route("/mentors/<id:mentor_profile_id>/slots")
@refuses("invalid_request", "no_listing")
@cacheable
@reads(VISITOR, CALENDAR)
@availability.arguments(shapes.SlotQuery, location="query")
@availability.response(200, shapes.Slots, example=EXAMPLE)
def list_mentor_slots(context: RequestContext[CalendarOwner], query: dict[str, Any]) -> Response:
    """List the times at which a mentor can be booked.

    The grid counts from each opening, or from local midnight where every time is open. It shapes what is offered: other
    times can be booked too, where the same rules allow them. Times at which the caller is booked elsewhere are left
    out.
    """
    return _slots(context, query, context.subject.mentor_profile_id, OF_MENTOR, OF_LISTING)


@availability.route("/courses/<id:course_id>/slots")
@refuses("invalid_request", "no_listing")
@cacheable
@reads(VISITOR, COURSE)
@availability.arguments(shapes.SlotQuery, location="query")
@availability.response(200, shapes.Slots, example=EXAMPLE)
def list_course_slots(context: RequestContext[Course], query: dict[str, Any]) -> Response:
    """List the times at which any mentor of a course can be booked, with the mentors who are free then.

    A stretch that is too much for one answer is answered in pages: where there is `nextFrom`, ask again from there.
    """
    return _slots(context, query, context.subject.id, OF_COURSE, OF_LISTING_OF_COURSE)


def _slots(
    context: RequestContext[Any],
    query: dict[str, Any],
    subject_id: UUID,
    of_any: ListingsStatement,
    of_one: ListingsStatement,
) -> Response:
    listing_id = query.get("listing_id")
    wanted = Wanted(
        start=query["from_"],
        end=query["to"],
        duration_minutes=query.get("duration_minutes"),
        step_minutes=query.get("step_minutes"),
        time_zone=query.get("time_zone") or time_zone_of(context.db, context.actor),
    )
    found = find_slots(
        context.db,
        of_one if listing_id else of_any,
        subject_id,
        wanted,
        actor=context.actor,
        now=context.now,
        listing_id=listing_id,
        explain=query["explain"],
        mentee_overlap=app_state().settings.mentee_overlap,
        closed_without_hours=app_state().settings.closed_without_hours,
    )
    charge(found.looked_at // STARTS_PER_REQUEST)
    return compressed(_as_json(found, explain=query["explain"]), mimetype="application/json")


def _as_json(found: FoundSlots, *, explain: bool) -> Iterator[str]:
    yield f'{{"durationMinutes":{found.slots.length // 60},"items":['
    yield from _joined(_items(found.slots))
    yield "]"
    if explain:
        yield ',"refused":['
        yield from _joined(json.dumps(REFUSED.dump(each)) for each in found.refused)
        yield f'],"staleCalendars":{json.dumps(list(map(str, found.stale_calendars)))}'
    if found.next_from is not None:
        yield f',"nextFrom":"{Moment.write(found.next_from)}"'
    yield "}\n"


def _items(slots: Slots) -> Iterator[str]:
    # Not by the schema, nor from dictionaries: thousands of slots took either longer than finding them.
    groups = {group: json.dumps(list(map(str, mentors))) for group, mentors in slots.groups.items()}
    return (
        f'{{"startTime":"{_written(start)}","endTime":"{_written(start + slots.length)}",'
        f'"mentorProfileIds":{groups[group]}}}'
        for start, group in slots.starts
    )


def _joined(items: Iterator[str]) -> Iterator[str]:
    before = ""
    while chunk := ",".join(islice(items, ITEMS_PER_CHUNK)):
        yield before + chunk
        before = ","


@lru_cache(maxsize=WRITTEN_TIMES)
def _written(second: int) -> str:
    return Moment.write(datetime.fromtimestamp(second, UTC))
