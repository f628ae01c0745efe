"""The demo's steps of one booking, and the effects of each."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import randrange
from time import monotonic
from typing import Any
from uuid import UUID

import urllib3
from sqlalchemy import Engine, func, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from cli.demonstration.effects import Effects, expect_mail, expect_webhook
from cli.demonstration.run import (
    DATABASE,
    RECEIVER,
    SMTP_SINK,
    Answer,
    Client,
    DemoFailed,
    DemoRun,
    Expected,
    Seen,
    require,
)
from cli.seeding.courses import add_mentor, add_person
from cli.seeding.people import MAX_SEED, plan_mentees, plan_mentors
from config.settings import settings
from models.analytics import session_metrics
from models.bookings import bookings
from models.catalog import BookingMode
from models.events import DeliveryState
from models.notifications import notifications
from models.reviews import review_permits
from models.sessions import sessions
from workflows.events.event_types import SessionCompleted, SessionCreated, SessionStarted
from workflows.events.status import statuses_of_subjects

MINUTES = 60
OFFER: dict[str, Any] = {
    "title": "Career advice",
    "description": "An hour about where you stand and where you want to go.",
    "duration_minutes": MINUTES,
    "price_amount": 4500,
    "price_currency": "EUR",
    "booking_mode": BookingMode.REQUEST,
    # The demo does not wait for the hour to come.
    "early_start_minutes": None,
}


@dataclass(frozen=True)
class Participants:
    operator: Client
    mentee: Client
    mentor: Client
    mentee_id: UUID
    mentor_user_id: UUID
    mentor_profile_id: UUID
    mentee_mail: str
    mentor_mail: str
    listing_id: UUID
    endpoint_id: str


def register_participants(run: DemoRun, engine: Engine) -> Participants:
    """Register two seeded people with the rows that the demo needs; each run has its own people."""
    run.output.heading("Two people, an offer, and a partner who listens")
    seed = randrange(MAX_SEED)
    (planned,), (person,) = plan_mentors(seed, 1), plan_mentees(seed, 1)
    began = monotonic()
    with engine.begin() as db:
        made = add_mentor(db, replace(planned, offers=[OFFER]), now=datetime.now(UTC))
        mentee = add_person(db, person, now=datetime.now(UTC))
    took = (monotonic() - began) * 1000
    offered = f"{planned.person.name}, the mentor, offers “{OFFER['title']}”, {MINUTES} minutes, to {person.name}"
    run.output.step(offered, by=DATABASE, milliseconds=took)
    mentor = made.actor
    assert mentor.user_id is not None
    assert mentor.mentor_profile_id is not None
    assert mentee.user_id is not None
    as_mentor = client_of(run, mentor.user_id, mentor.mentor_profile_id)
    return Participants(
        operator=run.client(sub="demo", roles=["operator"]),
        mentee=client_of(run, mentee.user_id),
        mentor=as_mentor,
        mentee_id=mentee.user_id,
        mentor_user_id=mentor.user_id,
        mentor_profile_id=mentor.mentor_profile_id,
        mentee_mail=person.email,
        mentor_mail=planned.person.email,
        listing_id=made.listings[OFFER["title"]],
        endpoint_id=_listen(run, as_mentor),
    )


def client_of(run: DemoRun, user_id: UUID | None, mentor_profile_id: UUID | None = None) -> Client:
    acting = {"mentor_profile_id": str(mentor_profile_id)} if mentor_profile_id else {}
    return run.client(sub=str(user_id), roles=[], **acting)


def _listen(run: DemoRun, mentor: Client) -> str:
    """A webhook endpoint of this run's mentor, so that it receives events of this run alone."""
    body = {"url": run.receiver.url, "eventTypes": ["booking.*", "session.*"], "description": "The demo's receiver"}
    answer = mentor.post("/webhook-endpoints", body, step="a webhook endpoint is made, and is {state}")
    path = f"/webhook-endpoints/{answer.body['id']}"
    run.receiver.trust(mentor.get(f"{path}/secret").body["secret"])

    def look() -> Seen | None:
        is_active = mentor.get(path).body["state"] == "active"
        return Seen(monotonic(), "the endpoint is active, since its ping got 2xx") if is_active else None

    active = Expected("The webhook endpoint's activation", "worker-webhooks", look, "worker-webhooks")
    pinged = expect_webhook(run, "webhook.ping", answer.body["id"])
    run.await_all([pinged, active], since=answer.sent_at)
    return str(answer.body["id"])


@dataclass(frozen=True)
class Booked:
    """The booking and its session, with the effects that followed."""

    session_id: str
    effects: Effects


def book(run: DemoRun, people: Participants) -> Booked:
    """Request and accept, with every step that must be refused."""
    run.output.heading("A booking is accepted and becomes one session")
    start = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    accept = f"/bookings/{_request(run, people, start, 'the mentee asks for an hour: a draft')}/accept"
    booked = _accept(run, people, accept)
    again = "a double click, the same decision again: 400 invalid_transition"
    people.mentor.post(accept, expect=400, code="invalid_transition", step=again)
    _refuse_second(run, people, start)
    _accept_and_wait(run, people, start + timedelta(hours=2))
    return booked


def _request(run: DemoRun, people: Participants, start: datetime, step: str) -> str:
    mail = expect_mail(run, people.mentor_mail, "mentor")
    body = {"listingId": str(people.listing_id), "startTime": start.isoformat(), "title": "Where to go next"}
    answer = people.mentee.post("/bookings", body, step=step)
    booking_id: str = answer.body["id"]
    run.await_all([mail, expect_webhook(run, "booking.requested", booking_id)], since=answer.sent_at)
    return booking_id


def _accept(run: DemoRun, people: Participants, path: str) -> Booked:
    mails = _expect_both_mails(run, people)
    step = "the mentor accepts: 202, with the session's address (the answer's own time)"
    answer = people.mentor.post(path, expect=202, step=step)
    session_id: str = answer.body["sessionId"]
    require("the session's address", answer.headers.get("Location"), f"/sessions/{session_id}", "api")

    def look() -> Seen | None:
        session = people.mentor.get(f"/sessions/{session_id}", expect=(200, 404))
        if session.status == 404:
            return None
        return Seen(monotonic(), f"the session exists, {session.body['status']} (since the decision was sent)")

    created = Expected("The creation of the session", "worker-sessions", look, "worker-sessions")
    run.await_all([created], since=answer.sent_at)
    booked = Booked(session_id, Effects(people.operator, session_id))
    webhook = expect_webhook(run, "session.created", session_id)
    expected = [*booked.effects.expect_of(SessionCreated), *mails, webhook]
    run.await_all(expected, since=answer.sent_at, refresh=booked.effects.refresh)
    return booked


def _refuse_second(run: DemoRun, people: Participants, start: datetime) -> None:
    """Drafts hold no time and may overlap; the first accepted one gets the time."""
    booking_id = _request(run, people, start, "a second booking for the same hour: a draft too, drafts hold nothing")
    step = "the mentor accepts that as well: 409 slot_taken"
    people.mentor.post(f"/bookings/{booking_id}/accept", expect=409, code="slot_taken", step=step)
    mail = expect_mail(run, people.mentee_mail, "mentee")
    reason, step = {"reason": "I am booked then."}, "the mentor declines it, with a reason"
    answer = people.mentor.post(f"/bookings/{booking_id}/decline", reason, expect=200, step=step)
    run.await_all([mail, expect_webhook(run, "booking.declined", booking_id)], since=answer.sent_at)


def _accept_and_wait(run: DemoRun, people: Participants, start: datetime) -> None:
    booking_id = _request(run, people, start, "the mentee asks for another hour")
    mails = _expect_both_mails(run, people)
    step = "the mentor accepts with Prefer: wait=10: 201, the session is {session[status]}"
    answer = people.mentor.post(f"/bookings/{booking_id}/accept", prefer="wait=10", step=step)
    webhook = expect_webhook(run, "session.created", answer.body["session"]["id"])
    run.await_all([*mails, webhook], since=answer.sent_at)


def _expect_both_mails(run: DemoRun, people: Participants) -> list[Expected]:
    return [expect_mail(run, people.mentee_mail, "mentee"), expect_mail(run, people.mentor_mail, "mentor")]


COMPLETION = {
    "notes": "We went through two offers.",
    "rating": 5,
    "feedback": "Well prepared.",
    "actionItems": ["Write to the second company", "Read the contract"],
}


def hold_session(run: DemoRun, people: Participants, booked: Booked) -> None:
    """Play a session's life to its end."""
    run.output.heading("The session is held, and its completion fans out")
    path, effects = f"/sessions/{booked.session_id}", booked.effects
    answer = people.mentee.post(f"{path}/start", expect=200, step="the mentee starts the session: in_progress")
    _find_link(run, people, path, answer)
    webhook = expect_webhook(run, "session.started", booked.session_id)
    run.await_all([*effects.expect_of(SessionStarted), webhook], since=answer.sent_at, refresh=effects.refresh)
    mails = _expect_both_mails(run, people)
    step = "the mentor completes it, with notes: completed"
    answer = people.mentor.post(f"{path}/complete", COMPLETION, expect=200, step=step)
    webhook = expect_webhook(run, "session.completed", booked.session_id)
    expected = [*effects.expect_of(SessionCompleted), *mails, webhook, effects.expect_all()]
    run.await_all(expected, since=answer.sent_at, refresh=effects.refresh)
    mine = people.mentee.get("/sessions/mentee/my-sessions?status=completed")
    listed = [session["id"] for session in mine.body["items"]]
    require("The mentee's list of completed sessions", listed, [booked.session_id], "api")
    run.output.step("the mentee finds it in their list", by="api", milliseconds=mine.milliseconds)


def _find_link(run: DemoRun, people: Participants, path: str, started: Answer) -> None:
    link, answer = started.body["joinUrl"], people.mentor.get(path)
    if answer.body["joinUrl"] != link or (link is None) != (settings().meeting_url is None):
        raise DemoFailed("Mentor and mentee do not find one link to meet at.", process="api")
    if link:
        run.output.step(f"both find the link to meet at, {link}", by="api", milliseconds=answer.milliseconds)


# Three requests, one refusal, two sessions made and one completed: to one, one, and both people.
MAILS = 3 + 1 + 2 * 2 + 2
# Two sessions made, for the calendars of both people.
INVITATIONS = 2 * 2
WORDS = ("text/plain", "text/html")
# The ping, three requests, one refusal, two acceptances, two sessions made, one started, one completed.
WEBHOOKS = 1 + 3 + 1 + 2 + 2 + 1 + 1


def check_stored(run: DemoRun, people: Participants, booked: Booked, engine: Engine) -> None:
    """Count rows, mails and webhooks.

    Raises:
        DemoFailed: a count differs from the sum of the steps, or the database cannot be asked.
    """
    run.output.heading("What was stored and received")
    try:
        run.await_all([_expect_quiet(people, engine)], since=monotonic())
        _check_rows(run, people, booked, engine)
    except SQLAlchemyError as error:
        raise DemoFailed(f"The database could not be asked: {error}", process=DATABASE) from error
    _check_mails(run, people)
    ids = {message.webhook_id for message in run.receiver.messages}
    require("webhooks received", len(ids), WEBHOOKS, "worker-webhooks")
    run.output.step(f"{WEBHOOKS} webhooks received, each with an id of its own and a signature that fits", by=RECEIVER)


def _check_rows(run: DemoRun, people: Participants, booked: Booked, engine: Engine) -> None:
    session, both_sides = UUID(booked.session_id), ("session_created", "session_completed")
    permits = select(func.count()).where(
        review_permits.c.session_id == session, review_permits.c.mentee_user_id == people.mentee_id
    )
    notified = select(func.count()).where(notifications.c.session_id == session, notifications.c.kind.in_(both_sides))
    measured = select(session_metrics.c.booked_minutes).where(session_metrics.c.session_id == session)
    all_notified = "8 notifications of the session: two people, two channels, created and completed"
    for what, query, right, worker in (
        ("the review is unlocked, by one permit", permits, 1, "worker-reviews"),
        (f"the completed session is measured: {MINUTES} minutes booked", measured, MINUTES, "worker-analytics"),
        (all_notified, notified, 8, "worker-notifications"),
    ):
        began = monotonic()
        with engine.connect() as db:
            require(what, db.scalar(query), right, worker)
        run.output.step(what, by=DATABASE, milliseconds=(monotonic() - began) * 1000)


def _expect_quiet(people: Participants, engine: Engine) -> Expected:
    """No delivery is due or waits for a retry; only timers are left."""
    subjects = union_all(
        *(
            select(each.c.id).where(each.c.mentor_profile_id == people.mentor_profile_id)
            for each in (bookings, sessions)
        )
    )

    def rows() -> list[str]:
        with engine.connect() as db:
            followed = statuses_of_subjects(db, db.scalars(subjects).all(), everything=True, mentor_profile_id=None)
        return [
            " ".join(filter(None, (each.effect, each.last_error)))
            for each in followed
            if each.state is DeliveryState.PENDING and (each.due_at <= datetime.now(UTC) or each.attempts)
        ]

    def look() -> Seen | None:
        return None if rows() else Seen(monotonic(), "nothing is left to do but timers")

    return Expected("The end of all deliveries", DATABASE, look, "sweep", lambda: ", ".join(rows()))


def _check_mails(run: DemoRun, people: Participants) -> None:
    mails = run.mailbox.mails(people.mentee_mail, people.mentor_mail)
    require("mails received", len(mails), MAILS, "worker-notifications")
    require("different Message-IDs", len({mail.message_id for mail in mails}), MAILS, "worker-notifications")
    bodies = Counter(mail.kinds for mail in mails)
    right = {WORDS: MAILS - INVITATIONS, (*WORDS, "text/calendar", "application/ics"): INVITATIONS}
    require("mails as text and HTML, with invitations", bodies, right, "worker-notifications")
    run.output.step(f"{MAILS} mails received, each with a Message-ID of its own, as text and HTML", by=SMTP_SINK)
    run.output.step(f"{INVITATIONS} of them are invitations, for the calendars of both", by=SMTP_SINK)


def pause_endpoint(run: DemoRun, people: Participants) -> None:
    """Pause the demo's endpoint when its receiver leaves: another program may have its port by then."""
    try:
        people.mentor.patch(f"/webhook-endpoints/{people.endpoint_id}", {"state": "paused"})
    except DemoFailed as failure:
        run.output.line(f"The demo's webhook endpoint could not be paused: {failure}")


def check_invariants(run: DemoRun, operator: Client) -> None:
    """Ask for violations, and show the answer.

    Raises:
        DemoFailed: an invariant is violated until the end of the wait.
    """
    found: dict[str, Any] = {}

    def look() -> Seen | None:
        answer = operator.get("/operations/invariants")
        found.update(answer.body)
        if not found["ok"]:
            return None
        answered_at = answer.sent_at + answer.milliseconds / 1000
        return Seen(answered_at, f"every invariant holds: {len(found['items'])} queries")

    def violated() -> str:
        return ", ".join(f"{item['name']} {item['violations']} times" for item in found["items"] if item["violations"])

    run.output.heading("The invariants")
    expected = Expected("A look without violations of the invariants", "api", look, "maintain", violated)
    run.await_all([expected], since=monotonic())


def check_page(run: DemoRun, url: str, name: str, process: str) -> None:
    try:
        response = run.http.request("GET", url, timeout=run.timeout_seconds, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise DemoFailed(f"{name} does not answer at {url}: {error}", process=process) from error
    require(f"the status of {name} at {url}", response.status, 200, process)
    run.output.step(f"{name} is served", by=process)
