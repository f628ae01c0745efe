"""The demo's act of a course: a bundle is bought, spent and given back, and a group fills up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demonstration.acts import MINUTES, expect_mail, register, show
from cli.demonstration.stage import Client, DemoFailed, Scene

PRICE = {"amount": 4500, "currency": "EUR"}
SEATS = 2


@dataclass(frozen=True)
class _Student:
    """A person who learns in the course."""

    client: Client
    mail: str


def teach(scene: Scene, operator: Client) -> None:
    """Play the act, with people of its own.

    Raises:
        DemoFailed: an answer is not as promised.
    """
    scene.show.act("A course: a bundle is spent and given back, and a group fills up")
    course_id, mentor = _open_course(scene, operator)
    students = [_student(scene, operator) for _ in range(SEATS + 1)]
    _use_bundle(scene, operator, students[0], course_id)
    _fill_group(scene, mentor, students, course_id)


def _open_course(scene: Scene, operator: Client) -> tuple[str, Client]:
    course = operator.post("/courses", {"title": "Linear algebra"})
    show(scene, course, "the operator opens the course “Linear algebra”")
    user = register(scene, operator, "mentor", "Europe/Berlin")
    profile = scene.client(sub=user["id"], roles=[]).post("/mentor-profiles", {"headline": "Mathematician"})
    mentor = scene.client(sub=user["id"], roles=[], mentor_profile_id=profile.body["id"])
    course_id: str = course.body["id"]
    offer = {"title": "An hour of algebra", "courseId": course_id, "durationMinutes": MINUTES, "price": PRICE}
    show(scene, mentor.post("/listings", offer), "a mentor teaches it")
    return course_id, mentor


def _student(scene: Scene, operator: Client) -> _Student:
    user = register(scene, operator, "mentee", "Europe/Lisbon")
    return _Student(scene.client(sub=user["id"], roles=[]), user["email"])


def _use_bundle(scene: Scene, operator: Client, student: _Student, course_id: str) -> None:
    sold = {"kind": "bundle", "title": "Two hours", "sessionCount": 2, "price": PRICE}
    product = operator.post(f"/courses/{course_id}/products", sold)
    bought = student.client.post(f"/bundles/courses/{course_id}/purchase", {"productId": product.body["id"]})
    show(scene, bought, "a mentee buys a bundle of two sessions")
    bundle_id = bought.body["id"]
    start = _in_days(2)
    body = {"courseId": course_id, "startTime": start.isoformat(), "durationMinutes": MINUTES}
    answer = student.client.post("/bookings/individual", {**body, "bundlePurchaseId": bundle_id}, prefer="wait=10")
    _require("sessions left", _bundle(student, bundle_id)["remainingSessions"], 1)
    show(scene, answer, "and books an hour with it, of a mentor who is chosen: one session is left")
    cancelled = student.client.post(f"/bookings/{answer.body['booking']['id']}/cancel", expect=200)
    _require("creditReturned", cancelled.body["cancellation"]["creditReturned"], True)
    bundle = _bundle(student, bundle_id)
    moves = [entry["kind"] for entry in bundle["ledger"]]
    _require("sessions left", bundle["remainingSessions"], 2)
    _require("the ledger", moves, ["purchase", "spend", "give_back"])
    show(scene, cancelled, f"cancelled in time, the session comes back: {', '.join(moves)}")


def _fill_group(scene: Scene, mentor: Client, students: list[_Student], course_id: str) -> None:
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
    show(scene, scheduled, f"the mentor schedules a group with {SEATS} seats")
    path = f"/group-sessions/{scheduled.body['made'][0]['bookingId']}"
    *first, last = students
    for student in first:
        joined = student.client.post(f"{path}/join", expect=200)
    _require("full", joined.body["full"], True)
    show(scene, joined, "two mentees join: the group is full")
    show(scene, last.client.refused(f"{path}/join", expect=409, code="group_full"), "a third one: 409 group_full")
    waiting = last.client.post(f"{path}/waitlist")
    show(scene, waiting, f"and waits, at position {waiting.body['position']}")
    mail = expect_mail(scene, last.mail, "one who waits")
    left = first[0].client.post(f"{path}/leave", expect=200)
    show(scene, left, "one leaves in time, without a fee")
    scene.await_all([mail], since=left.sent_at)
    accepted = last.client.post(f"{path}/waitlist/accept-offer", expect=200)
    _require("seats taken", accepted.body["seatsTaken"], SEATS)
    show(scene, accepted, "the freed seat is taken from the waiting list: full again")


def _bundle(student: _Student, bundle_id: str) -> dict[str, Any]:
    return student.client.get(f"/bundles/{bundle_id}").body


def _in_days(days: int) -> datetime:
    """The present hour of a day ahead, in UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=days)


def _require(what: str, found: object, right: object) -> None:
    if found != right:
        raise DemoFailed(f"{what}: found {found}, and {right} would be right.", process="api")
