"""The demo's steps of a course: a bundle is bought, spent and given back, and a group fills up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demonstration.booking import MINUTES, expect_mail, register, show
from cli.demonstration.run import Client, DemoFailed, DemoRun

PRICE = {"amount": 4500, "currency": "EUR"}
SEATS = 2


@dataclass(frozen=True)
class _Student:
    """A person who learns in the course."""

    client: Client
    mail: str


def run_course(run: DemoRun, operator: Client) -> None:
    """Run the steps, with people of their own.

    Raises:
        DemoFailed: an answer is not as promised.
    """
    run.output.heading("A course: a bundle is spent and given back, and a group fills up")
    course_id, mentor = _open_course(run, operator)
    students = [_student(run, operator) for _ in range(SEATS + 1)]
    _use_bundle(run, operator, students[0], course_id)
    _fill_group(run, mentor, students, course_id)


def _open_course(run: DemoRun, operator: Client) -> tuple[str, Client]:
    course = operator.post("/courses", {"title": "Linear algebra"})
    show(run, course, "the operator opens the course “Linear algebra”")
    user = register(run, operator, "mentor", "Europe/Berlin")
    profile = run.client(sub=user["id"], roles=[]).post("/mentor-profiles", {"headline": "Mathematician"})
    mentor = run.client(sub=user["id"], roles=[], mentor_profile_id=profile.body["id"])
    course_id: str = course.body["id"]
    offer = {"title": "An hour of algebra", "courseId": course_id, "durationMinutes": MINUTES, "price": PRICE}
    show(run, mentor.post("/listings", offer), "a mentor teaches it")
    return course_id, mentor


def _student(run: DemoRun, operator: Client) -> _Student:
    user = register(run, operator, "mentee", "Europe/Lisbon")
    return _Student(run.client(sub=user["id"], roles=[]), user["email"])


def _use_bundle(run: DemoRun, operator: Client, student: _Student, course_id: str) -> None:
    sold = {"kind": "bundle", "title": "Two hours", "sessionCount": 2, "price": PRICE}
    product = operator.post(f"/courses/{course_id}/products", sold)
    bought = student.client.post(f"/bundles/courses/{course_id}/purchase", {"productId": product.body["id"]})
    show(run, bought, "a mentee buys a bundle of two sessions")
    bundle_id = bought.body["id"]
    start = _in_days(2)
    body = {"courseId": course_id, "startTime": start.isoformat(), "durationMinutes": MINUTES}
    answer = student.client.post("/bookings/individual", {**body, "bundlePurchaseId": bundle_id}, prefer="wait=10")
    _require("sessions left", _bundle(student, bundle_id)["remainingSessions"], 1)
    show(run, answer, "and books an hour with it, of a mentor who is chosen: one session is left")
    cancelled = student.client.post(f"/bookings/{answer.body['booking']['id']}/cancel", expect=200)
    _require("creditReturned", cancelled.body["cancellation"]["creditReturned"], True)
    bundle = _bundle(student, bundle_id)
    moves = [entry["kind"] for entry in bundle["ledger"]]
    _require("sessions left", bundle["remainingSessions"], 2)
    _require("the ledger", moves, ["purchase", "spend", "give_back"])
    show(run, cancelled, f"cancelled in time, the session comes back: {', '.join(moves)}")


def _fill_group(run: DemoRun, mentor: Client, students: list[_Student], course_id: str) -> None:
    start = _in_days(3)
    template = {
        "courseId": course_id,
        "title": "Exercises together",
        "weekday": start.weekday(),
        "startTime": f"{start:%H:%M}",
        "timeZone": "UTC",
        "durationMinutes": MINUTES,
        "capacity": SEATS,
        "price": PRICE,
    }
    template_id = mentor.post("/group-session-templates", template).body["id"]
    day = start.date().isoformat()
    scheduled = mentor.post(f"/group-session-templates/{template_id}/schedule", {"from": day, "to": day})
    show(run, scheduled, f"the mentor schedules a group with {SEATS} seats")
    path = f"/group-sessions/{scheduled.body['made'][0]['bookingId']}"
    *first, last = students
    for student in first:
        joined = student.client.post(f"{path}/join", expect=200)
    _require("full", joined.body["full"], True)
    show(run, joined, "two mentees join: the group is full")
    show(run, last.client.refused(f"{path}/join", expect=409, code="group_full"), "a third one: 409 group_full")
    waiting = last.client.post(f"{path}/waitlist")
    show(run, waiting, f"and waits, at position {waiting.body['position']}")
    mail = expect_mail(run, last.mail, "one who waits")
    left = first[0].client.post(f"{path}/leave", expect=200)
    show(run, left, "one leaves in time, without a fee")
    run.await_all([mail], since=left.sent_at)
    accepted = last.client.post(f"{path}/waitlist/accept-offer", expect=200)
    _require("seats taken", accepted.body["seatsTaken"], SEATS)
    show(run, accepted, "the freed seat is taken from the waiting list: full again")


def _bundle(student: _Student, bundle_id: str) -> dict[str, Any]:
    return student.client.get(f"/bundles/{bundle_id}").body


def _in_days(days: int) -> datetime:
    """The present hour of a day ahead, in UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=days)


def _require(what: str, found: object, right: object) -> None:
    if found != right:
        raise DemoFailed(f"{what}: found {found}, and {right} would be right.", process="api")
