"""A handler written by hand with the statements that the product runs: Flask, psycopg, and nothing in between.

It serves three routes on a database of the product: request, accept, and read a booking. What an ORM, schemas, metrics,
wake-ups and log lines cost can be read off beside it. `python -m bench.contenders.handwritten_app PORT` serves it, by
the product's own server.
"""

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask, abort, request
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from bench.contenders.statements import ACCEPT, BOOKABLE, BOOKING, DRAFT, MENTEE, MENTOR, RECORD, plan_of
from cli.serve import serve
from models.sessions import session_id_of
from workflows.bookings.insert import NO_LIMIT
from workflows.terms.terms import TERM_NAMES

app = Flask(__name__)
_local = threading.local()
MENTOR_SHOWN, MENTEE_SHOWN = ("id", "name", "headline", "avatarUrl"), ("id", "name")


def _database() -> psycopg.Connection[dict[str, Any]]:
    """This thread's connection; autocommit, so that a read is one round trip."""
    if not hasattr(_local, "database"):
        _local.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row)
    database: psycopg.Connection[dict[str, Any]] = _local.database
    return database


@app.get("/health/live")
def live() -> dict[str, str]:
    """The server's own empty answer."""
    return {"status": "ok"}


NOT_GIVEN = (
    *("course_id", "title", "notes", "answers", "external_id", "metadata"),
    *("product_id", "bundle_purchase_id", "series_id", "session_id"),
)


@app.post("/bookings")
def create_booking() -> tuple[dict[str, Any], int]:
    """Request a booking: a draft."""
    body = request.get_json()
    start = datetime.fromisoformat(body["startTime"])
    db = _database()
    with db.transaction():
        caller = _caller(db)
        mine = caller["user_id"]
        wanted = {"listing_id": UUID(body["listingId"]), "start_time": start, "mentee_user_id": mine}
        listing = db.execute(BOOKABLE, wanted).fetchone() or abort(404)
        if start <= datetime.now(UTC) or listing["user_id"] == caller["user_id"]:
            abort(400)
        values = {
            **dict.fromkeys(NOT_GIVEN),
            **{name: listing[name] for name in (*TERM_NAMES, "mentor_profile_id")},
            "id": uuid7(),
            "listing_id": listing["id"],
            "mentee_user_id": caller["user_id"],
            "kind": "individual",
            "status": "draft",
            "start_time": start,
            "end_time": start + timedelta(minutes=listing["duration_minutes"]),
            "calendar_version": listing["calendar"]["version"],
            "max_drafts_per_mentor": NO_LIMIT,
            "max_drafts": NO_LIMIT,
        }
        booking = db.execute(DRAFT, values).fetchone()
        assert booking is not None
        _record(db, "booking.requested", booking)
    return _shown(booking), 201


@app.post("/bookings/<uuid:booking_id>/accept")
def accept_booking(booking_id: UUID) -> tuple[dict[str, Any], int]:
    """Accept a draft."""
    db = _database()
    with db.transaction():
        caller = _caller(db)
        booking = db.execute(BOOKING, {"id": booking_id}).fetchone() or abort(404)
        if booking["mentor_profile_id"] != caller["mentor_profile_id"]:
            abort(403)
        if booking["status"] != "draft" or booking["start_time"] <= datetime.now(UTC):
            abort(400)
        values = {
            "mentor_profile_id": booking["mentor_profile_id"],
            "mentee_user_id": booking["mentee_user_id"],
            "mentee_overlap": False,
            "id": booking_id,
            "version": booking["version"],
            "session_id": session_id_of(booking_id),
            "busy_id": uuid7(),
            "attending_id": uuid7(),
        }
        try:
            accepted = db.execute(ACCEPT, values).fetchone() or abort(400)
        except psycopg.errors.ExclusionViolation:
            abort(409)
        _record(db, "booking.accepted", accepted)
    return _shown({**booking, **accepted}), 202


@app.get("/bookings/<uuid:booking_id>")
def get_booking(booking_id: UUID) -> dict[str, Any]:
    """Read a booking."""
    db = _database()
    caller = _caller(db)
    booking = db.execute(BOOKING, {"id": booking_id}).fetchone() or abort(404)
    is_mentor = caller["mentor_profile_id"] and caller["mentor_profile_id"] == booking["mentor_profile_id"]
    if not is_mentor and caller["user_id"] != booking["mentee_user_id"]:
        abort(403)
    return _shown(booking)


def _caller(db: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    headers = request.headers
    if "X-Mentor-Profile-Id" in headers:
        row = db.execute(MENTOR, {"id": UUID(headers["X-Mentor-Profile-Id"])}).fetchone()
    else:
        row = db.execute(MENTEE, {"id": UUID(headers["X-User-Id"])}).fetchone()
    return row or abort(401)


def _record(db: psycopg.Connection[dict[str, Any]], event_type: str, booking: dict[str, Any]) -> None:
    event_id = uuid7()
    plan = plan_of(os.environ["DATABASE_URL"], event_type)
    data = {
        name: str(booking[name]) for name in ("id", "mentor_profile_id", "mentee_user_id", "start_time", "end_time")
    }
    db.execute(
        RECORD,
        {
            "id": event_id,
            "type": event_type,
            "subject_id": booking["id"],
            "actor": "bench",
            "data": Jsonb(data),
            "occurred_at": datetime.now(UTC),
            "effects": plan.effects,
            "targets": plan.targets,
            "queues": plan.queues,
            "dues": [datetime.now(UTC) + timedelta(seconds=later) if later else None for later in plan.later_seconds],
            "event_ids": [event_id] * len(plan.effects),
            "mentor_profile_id": booking["mentor_profile_id"],
        },
    )


def _shown(booking: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(booking["id"]),
        "listingId": str(booking["listing_id"]),
        "mentorProfileId": str(booking["mentor_profile_id"]),
        "menteeUserId": str(booking["mentee_user_id"]),
        "mentor": dict(zip(MENTOR_SHOWN, booking["mentor"], strict=True)),
        "mentee": dict(zip(MENTEE_SHOWN, booking["mentee"], strict=True)),
        "kind": booking["kind"],
        "startTime": booking["start_time"].isoformat(),
        "endTime": booking["end_time"].isoformat(),
        "status": booking["status"],
        "title": booking["title"],
        "notes": booking["notes"],
        "metadata": booking["metadata"],
        "price": {"amount": booking["price_amount"], "currency": booking["price_currency"]},
        "sessionId": booking["session_id"] and str(booking["session_id"]),
        "createdAt": booking["created_at"].isoformat(),
        "updatedAt": booking["updated_at"].isoformat(),
    }


if __name__ == "__main__":
    serve("127.0.0.1", int(sys.argv[1]), lambda _settings: app)
