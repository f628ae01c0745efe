"""The demo's steps of a course: a bundle is bought, spent and given back, and a group fills up."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import randrange
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from cli.demonstration.booking import MINUTES, OFFER, client_of
from cli.demonstration.effects import expect_mail
from cli.demonstration.run import DATABASE, Client, DemoRun, require
from cli.seeding.courses import add_course, add_mentor, add_person
from cli.seeding.people import COURSES, MAX_SEED, plan_mentees, plan_mentors
from models.catalog import ProductKind, products

SEATS = 2
BUNDLE = {
    "kind": ProductKind.BUNDLE,
    "title": "Two hours",
    "session_count": 2,
    "price_amount": 9_000,
    "price_currency": "EUR",
}


@dataclass(frozen=True)
class _Course:
    id: UUID
    bundle_id: UUID
    mentor: Client
    students: list[Client]
    last_mail: str


def run_course(run: DemoRun, engine: Engine) -> None:
    """Run the steps, with people of their own. Raises DemoFailed: an answer is not as promised."""
    run.output.heading("A course: a bundle is spent and given back, and a group fills up")
    course = _open_course(run, engine)
    _use_bundle(course)
    _fill_group(run, course)


def _open_course(run: DemoRun, engine: Engine) -> _Course:
    title, description = COURSES["statistics"]
    seed, now = randrange(MAX_SEED), datetime.now(UTC)
    (planned,), people = plan_mentors(seed, 1), plan_mentees(seed, SEATS + 1)
    with engine.begin() as db:
        course_id = add_course(db, title, description, [BUNDLE])
        bundle_id = db.scalars(select(products.c.id).where(products.c.course_id == course_id)).one()
        offer = OFFER | {"title": f"An hour of {title}", "course_id": course_id}
        mentor = add_mentor(db, replace(planned, offers=[offer]), now=now).actor
        students = [client_of(run, add_person(db, each, now=now).user_id) for each in people]
    run.output.step(f"{planned.person.name} teaches the course “{title}”", by=DATABASE)
    as_mentor = client_of(run, mentor.user_id, mentor.mentor_profile_id)
    return _Course(course_id, bundle_id, as_mentor, students, people[-1].email)


def _use_bundle(course: _Course) -> None:
    student = course.students[0]
    bought = student.post(
        f"/bundles/courses/{course.id}/purchase",
        {"productId": str(course.bundle_id)},
        step="a mentee buys a bundle of two sessions",
    )

    def bundle() -> dict[str, Any]:
        return student.get(f"/bundles/{bought.body['id']}").body

    body = {"courseId": str(course.id), "startTime": _in_days(2).isoformat(), "durationMinutes": MINUTES}
    booked = student.post(
        "/bookings/individual",
        {**body, "bundlePurchaseId": bought.body["id"]},
        prefer="wait=10",
        step="and books an hour with it, of a mentor who is chosen: one session is left",
    )
    require("sessions left", bundle()["remainingSessions"], 1, "api")
    moves = ["purchase", "spend", "give_back"]
    cancelled = student.post(
        f"/bookings/{booked.body['booking']['id']}/cancel",
        expect=200,
        step=f"cancelled in time, the session comes back: {', '.join(moves)}",
    )
    require("creditReturned", cancelled.body["cancellation"]["creditReturned"], True, "api")
    require("sessions left", bundle()["remainingSessions"], 2, "api")
    require("the ledger", [entry["kind"] for entry in bundle()["ledger"]], moves, "api")


def _fill_group(run: DemoRun, course: _Course) -> None:
    start = _in_days(3)
    template = {
        "courseId": str(course.id),
        "title": "Exercises together",
        "weekday": start.weekday(),
        "startTime": f"{start:%H:%M}",
        "timeZone": "UTC",
        "durationMinutes": MINUTES,
        "capacity": SEATS,
        "price": {"amount": 4500, "currency": "EUR"},
    }
    template_id = course.mentor.post("/group-session-templates", template).body["id"]
    day = start.date().isoformat()
    scheduled = course.mentor.post(
        f"/group-session-templates/{template_id}/schedule",
        {"from": day, "to": day},
        step=f"the mentor schedules a group with {SEATS} seats",
    )
    path = f"/group-sessions/{scheduled.body['made'][0]['bookingId']}"
    *first, last = course.students
    first[0].post(f"{path}/join", expect=200)
    joined = first[1].post(f"{path}/join", expect=200, step="two mentees join: the group is full")
    require("full", joined.body["full"], True, "api")
    last.post(f"{path}/join", expect=409, code="group_full", step="a third one: 409 group_full")
    last.post(f"{path}/waitlist", step="and waits, at position {position}")
    mail = expect_mail(run, course.last_mail, "one who waits")
    left = first[0].post(f"{path}/leave", expect=200, step="one leaves in time, without a fee")
    run.await_all([mail], since=left.sent_at)
    step = "the freed seat is taken from the waiting list: full again"
    accepted = last.post(f"{path}/waitlist/accept-offer", expect=200, step=step)
    require("seats taken", accepted.body["seatsTaken"], SEATS, "api")


def _in_days(days: int) -> datetime:
    """The present hour of a day ahead, in UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=days)
