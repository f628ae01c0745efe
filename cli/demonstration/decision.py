"""Second act: a booking is asked for and accepted, and becomes exactly one session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from cli.demonstration.client import Answer, Client
from cli.demonstration.expecting import Effects, expect_mail, expect_webhook
from cli.demonstration.failure import DemoFailed
from cli.demonstration.people import Cast
from cli.demonstration.scene import Expected, Scene, Seen
from workflows.events.catalogue import SessionCreated


@dataclass(frozen=True)
class Booked:
    """What the act leaves behind."""

    booking_id: str
    session_id: str
    effects: Effects
    declined_booking_id: str
    second_session_id: str


def decide(scene: Scene, cast: Cast) -> Booked:
    """Request, accept, and everything that must not happen on the way."""
    scene.show.act("A booking is accepted and becomes one session")
    start = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    booking_id = _request(scene, cast, start, "the mentee asks for an hour: a draft")
    session_id, effects = _accept(scene, cast, booking_id)
    answer = cast.mentor.refused(f"/bookings/{booking_id}/accept", expect=400, code="invalid_transition")
    _show(scene, answer, "a double click, the same decision again: 400 invalid_transition")
    declined = _refuse_second(scene, cast, start)
    second = _accept_and_wait(scene, cast, start + timedelta(hours=2))
    return Booked(booking_id, session_id, effects, declined, second)


def _request(scene: Scene, cast: Cast, start: datetime, told: str) -> str:
    mail = expect_mail(scene, cast.mentor_mail, "mentor")
    answer = cast.mentee.post(
        "/bookings", {"listingId": cast.listing_id, "startTime": start.isoformat(), "title": "Where to go next"}
    )
    _show(scene, answer, told)
    booking_id: str = answer.body["id"]
    webhook = expect_webhook(scene, "booking.requested", booking_id)
    scene.await_all([mail, webhook], since=answer.sent_at)
    return booking_id


def _accept(scene: Scene, cast: Cast, booking_id: str) -> tuple[str, Effects]:
    mails = _expect_both_mails(scene, cast)
    answer = cast.mentor.post(f"/bookings/{booking_id}/accept", expect=202)
    session_id: str = answer.body["sessionId"]
    if answer.headers.get("Location") != f"/sessions/{session_id}":
        raise DemoFailed("The answer to the acceptance does not lead to the session.", process="api")
    _show(scene, answer, "the mentor accepts: 202, with the session's address (the answer's own time)")
    _await_session(scene, cast.mentor, session_id, since=answer.sent_at)
    effects = Effects(cast.operator, session_id)
    webhook = expect_webhook(scene, "session.created", session_id)
    expected = [*effects.expect_of(SessionCreated), *mails, webhook]
    scene.await_all(expected, since=answer.sent_at, refresh=effects.refresh)
    return session_id, effects


def _await_session(scene: Scene, client: Client, session_id: str, *, since: float) -> None:
    def look() -> Seen | None:
        answer = client.ask("GET", f"/sessions/{session_id}", None, {})
        if answer.status not in (200, 404):
            raise DemoFailed(f"Reading the session answered {answer.status}.", process="api")
        if answer.status == 404:
            return None
        return Seen(monotonic(), f"the session exists, {answer.body['status']} (since the decision was sent)")

    expected = Expected("The creation of the session", "worker-sessions", look, "worker-sessions")
    scene.await_all([expected], since=since)


def _refuse_second(scene: Scene, cast: Cast, start: datetime) -> str:
    """Drafts hold nothing and may overlap; the first that is accepted has the time."""
    booking_id = _request(scene, cast, start, "a second booking for the same hour: a draft too, drafts hold nothing")
    answer = cast.mentor.refused(f"/bookings/{booking_id}/accept", expect=409, code="slot_taken")
    _show(scene, answer, "the mentor accepts that as well: 409 slot_taken")
    mail = expect_mail(scene, cast.mentee_mail, "mentee")
    answer = cast.mentor.post(f"/bookings/{booking_id}/decline", {"reason": "I am booked then."}, expect=200)
    _show(scene, answer, "the mentor declines it, with a reason")
    scene.await_all([mail, expect_webhook(scene, "booking.declined", booking_id)], since=answer.sent_at)
    return booking_id


def _accept_and_wait(scene: Scene, cast: Cast, start: datetime) -> str:
    booking_id = _request(scene, cast, start, "the mentee asks for another hour")
    mails = _expect_both_mails(scene, cast)
    answer = cast.mentor.post(f"/bookings/{booking_id}/accept", expect=201, prefer="wait=10")
    session: dict[str, Any] = answer.body["session"]
    _show(scene, answer, f"the mentor accepts with Prefer: wait=10: 201, the session is {session['status']}")
    session_id: str = session["id"]
    scene.await_all([*mails, expect_webhook(scene, "session.created", session_id)], since=answer.sent_at)
    return session_id


def _expect_both_mails(scene: Scene, cast: Cast) -> list[Expected]:
    return [expect_mail(scene, cast.mentee_mail, "mentee"), expect_mail(scene, cast.mentor_mail, "mentor")]


def _show(scene: Scene, answer: Answer, told: str) -> None:
    scene.show.step(told, by="api", milliseconds=answer.milliseconds)
