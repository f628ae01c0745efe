"""The demo's steps of one booking, and what must follow from each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import urllib3
from sqlalchemy import Engine, func, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from cli.demonstration.run import DATABASE, RECEIVER, SMTP_SINK, Answer, Client, DemoFailed, DemoRun, Expected, Seen
from cli.seeding.people import FAMILY_NAMES, GIVEN_NAMES
from config.settings import settings
from infrastructure.operator_policy import operator_policy
from models.analytics import session_metrics
from models.bookings import bookings
from models.events import DeliveryState
from models.notifications import notifications
from models.reviews import review_permits
from models.sessions import sessions
from workflows.events.event_types import Event, SessionCompleted, SessionCreated, SessionStarted
from workflows.events.store import statuses_of_subjects
from workflows.events.subscriptions import load


class Effects:
    """What follows from one session, as `GET /sessions/{id}/effects` told it the last time."""

    def __init__(self, operator: Client, session_id: str) -> None:
        self._operator = operator
        self._path = f"/sessions/{session_id}/effects"
        self.items: list[dict[str, Any]] = []

    def refresh(self) -> None:
        """Ask again."""
        self.items = self._operator.get(self._path).body["items"]

    def expect_of(self, event: type[Event]) -> list[Expected]:
        """Every effect that runs at once when such an event has happened, plug-ins included.

        What the operator's choices leave out is never recorded: channels, where none is configured. Nor is what has
        targets in some events alone, such as the waiting list of a group.
        """
        effects = load().with_policy(operator_policy(settings())).of(event)
        at_once = [effect.name for effect in effects if effect.due is None and effect.targets is None]
        return [self._expect(name, event.type, worker_of(name)) for name in at_once]

    def expect_all(self) -> Expected:
        """That nothing is left to do but timers."""

        def look() -> Seen | None:
            open_items = [item for item in self.items if not is_settled(item)]
            if open_items or not self.items:
                return None
            return Seen(monotonic(), f"all effects are done: {sum(item['state'] == 'done' for item in self.items)}")

        return Expected("Everything that follows from the session", "api", look, "sweep", self._describe_open)

    def _expect(self, effect: str, event: str, worker: str) -> Expected:
        def find() -> dict[str, Any] | None:
            return next((item for item in self.items if (item["effect"], item["event"]) == (effect, event)), None)

        def look() -> Seen | None:
            item = find()
            return Seen(monotonic(), f"{effect} is done, after {event}") if item and item["state"] == "done" else None

        return Expected(f"{effect} (after {event})", worker, look, worker, lambda: describe(find()))

    def _describe_open(self) -> str:
        return "; ".join(f"{item['effect']} {describe(item)}" for item in self.items if not is_settled(item))


def expect_mail(run: DemoRun, address: str, reader: str) -> Expected:
    """One more mail to this address than there has been until now."""
    before = len(run.mailbox.mails(address))

    def look() -> Seen | None:
        fresh = run.mailbox.mails(address)[before:]
        return Seen(fresh[0].at, f"a mail to the {reader}: “{fresh[0].subject}”") if fresh else None

    return Expected(f"A mail to the {reader}", SMTP_SINK, look, "worker-notifications")


def expect_webhook(run: DemoRun, event_type: str, subject_id: str) -> Expected:
    """A message of this type about this booking, session or endpoint."""

    def look() -> Seen | None:
        messages = [each for each in run.receiver.messages() if each.type == event_type]
        found = next((message for message in messages if message.is_about(subject_id)), None)
        return Seen(found.at, f"the webhook {event_type}, its signature verified") if found else None

    return Expected(f"The webhook {event_type}", RECEIVER, look, "worker-webhooks")


def worker_of(effect: str) -> str:
    """The process that runs an effect."""
    found = load().named(effect)
    return f"worker-{found.queue}" if found else "(unknown)"


def is_timer(item: Mapping[str, Any]) -> bool:
    """Whether an effect waits for its time, and not for another attempt."""
    later = datetime.fromisoformat(item["dueAt"]) > datetime.now(UTC)
    return bool(item["state"] == "pending" and item["attempts"] == 0 and later)


def is_settled(item: dict[str, Any]) -> bool:
    """Whether there is nothing to wait for."""
    return item["state"] == "done" or is_timer(item)


def describe(item: dict[str, Any] | None) -> str:
    """How far an effect has come, for the sentence that tells that it has not happened."""
    if item is None:
        return "it was never recorded"
    error = f", the last with {item['lastError']}" if item.get("lastError") else ""
    return f"it is {item['state']} after {item['attempts']} attempts{error}"


MINUTES = 60
LISTING = {
    "title": "Career advice",
    "description": "An hour about where you stand and where you want to go.",
    "durationMinutes": MINUTES,
    "price": {"amount": 4500, "currency": "EUR"},
    "bookingMode": "request",
    # The demo does not wait for the hour to come.
    "earlyStartMinutes": None,
}


@dataclass(frozen=True)
class Participants:
    """Who plays, and what is on offer."""

    operator: Client
    mentee: Client
    mentor: Client
    mentee_id: str
    mentor_user_id: str
    mentor_profile_id: str
    mentee_mail: str
    mentor_mail: str
    listing_id: str
    endpoint_id: str


def register_participants(run: DemoRun) -> Participants:
    """Register two people with what the demo needs of them; each run has people of its own."""
    output = run.output
    output.heading("Two people, an offer, and a partner who listens")
    operator = run.client(sub="demo", roles=["operator"])
    mentee, mentor = (register(run, operator, role, zone) for role, zone in _ROLES)
    profile = run.client(sub=mentor["id"], roles=[]).post(
        "/mentor-profiles",
        {"headline": "Engineering manager", "bio": "Twelve years of it.", "skills": ["careers", "interviews"]},
    )
    output.step("the mentor publishes a profile", by="api", milliseconds=profile.milliseconds)
    as_mentor = run.client(sub=mentor["id"], roles=[], mentor_profile_id=profile.body["id"])
    listing = as_mentor.post("/listings", LISTING)
    output.step(f"the mentor offers “{LISTING['title']}”, 60 minutes", by="api", milliseconds=listing.milliseconds)
    return Participants(
        operator=operator,
        mentee=run.client(sub=mentee["id"], roles=[]),
        mentor=as_mentor,
        mentee_id=mentee["id"],
        mentor_user_id=mentor["id"],
        mentor_profile_id=profile.body["id"],
        mentee_mail=mentee["email"],
        mentor_mail=mentor["email"],
        listing_id=listing.body["id"],
        endpoint_id=_listen(run, as_mentor),
    )


_ROLES = (("mentee", "Europe/Lisbon"), ("mentor", "America/New_York"))


def register(run: DemoRun, operator: Client, role: str, time_zone: str) -> dict[str, Any]:
    """Register a person of that role with an invented name."""
    given, family = random.choice(GIVEN_NAMES), random.choice(FAMILY_NAMES)
    address = f"{given}.{uuid4().hex[:12]}@{role}.example".lower()
    answer = operator.post("/users", {"email": address, "name": f"{given} {family}", "timeZone": time_zone})
    run.output.step(f"the operator registers {given} {family}, the {role}", by="api", milliseconds=answer.milliseconds)
    return answer.body


def _listen(run: DemoRun, mentor: Client) -> str:
    """A webhook endpoint of the mentor's own, so that it receives events of this run alone."""
    body = {"url": run.receiver.url, "eventTypes": ["booking.*", "session.*"], "description": "The demo's receiver"}
    answer = mentor.post("/webhook-endpoints", body)
    endpoint: str = answer.body["id"]
    run.output.step(
        f"a webhook endpoint is made, and is {answer.body['state']}", by="api", milliseconds=answer.milliseconds
    )
    run.receiver.trust(mentor.get(f"/webhook-endpoints/{endpoint}/secret").body["secret"])
    pinged = expect_webhook(run, "webhook.ping", endpoint)
    run.await_all([pinged, _expect_active(mentor, endpoint)], since=answer.sent_at)
    return endpoint


def _expect_active(mentor: Client, endpoint_id: str) -> Expected:
    def look() -> Seen | None:
        state = mentor.get(f"/webhook-endpoints/{endpoint_id}").body["state"]
        return Seen(monotonic(), "the endpoint is active, since its ping got 2xx") if state == "active" else None

    return Expected("The webhook endpoint's activation", "worker-webhooks", look, "worker-webhooks")


@dataclass(frozen=True)
class Booked:
    """The booking and its session, with the effects that followed."""

    booking_id: str
    session_id: str
    effects: Effects


def book(run: DemoRun, people: Participants) -> Booked:
    """Request, accept, and everything that must not happen on the way."""
    run.output.heading("A booking is accepted and becomes one session")
    start = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    booking_id = _request(run, people, start, "the mentee asks for an hour: a draft")
    session_id, effects = _accept(run, people, booking_id)
    answer = people.mentor.refused(f"/bookings/{booking_id}/accept", expect=400, code="invalid_transition")
    show(run, answer, "a double click, the same decision again: 400 invalid_transition")
    _refuse_second(run, people, start)
    _accept_and_wait(run, people, start + timedelta(hours=2))
    return Booked(booking_id, session_id, effects)


def _request(run: DemoRun, people: Participants, start: datetime, step: str) -> str:
    mail = expect_mail(run, people.mentor_mail, "mentor")
    answer = people.mentee.post(
        "/bookings", {"listingId": people.listing_id, "startTime": start.isoformat(), "title": "Where to go next"}
    )
    show(run, answer, step)
    booking_id: str = answer.body["id"]
    webhook = expect_webhook(run, "booking.requested", booking_id)
    run.await_all([mail, webhook], since=answer.sent_at)
    return booking_id


def _accept(run: DemoRun, people: Participants, booking_id: str) -> tuple[str, Effects]:
    mails = _expect_both_mails(run, people)
    answer = people.mentor.post(f"/bookings/{booking_id}/accept", expect=202)
    session_id: str = answer.body["sessionId"]
    if answer.headers.get("Location") != f"/sessions/{session_id}":
        raise DemoFailed("The answer to the acceptance does not lead to the session.", process="api")
    show(run, answer, "the mentor accepts: 202, with the session's address (the answer's own time)")
    _await_session(run, people.mentor, session_id, since=answer.sent_at)
    effects = Effects(people.operator, session_id)
    webhook = expect_webhook(run, "session.created", session_id)
    expected = [*effects.expect_of(SessionCreated), *mails, webhook]
    run.await_all(expected, since=answer.sent_at, refresh=effects.refresh)
    return session_id, effects


def _await_session(run: DemoRun, client: Client, session_id: str, *, since: float) -> None:
    def look() -> Seen | None:
        answer = client.ask("GET", f"/sessions/{session_id}", None, {})
        if answer.status not in (200, 404):
            raise DemoFailed(f"Reading the session answered {answer.status}.", process="api")
        if answer.status == 404:
            return None
        return Seen(monotonic(), f"the session exists, {answer.body['status']} (since the decision was sent)")

    expected = Expected("The creation of the session", "worker-sessions", look, "worker-sessions")
    run.await_all([expected], since=since)


def _refuse_second(run: DemoRun, people: Participants, start: datetime) -> None:
    """Drafts hold nothing and may overlap; the first that is accepted has the time."""
    booking_id = _request(run, people, start, "a second booking for the same hour: a draft too, drafts hold nothing")
    answer = people.mentor.refused(f"/bookings/{booking_id}/accept", expect=409, code="slot_taken")
    show(run, answer, "the mentor accepts that as well: 409 slot_taken")
    mail = expect_mail(run, people.mentee_mail, "mentee")
    answer = people.mentor.post(f"/bookings/{booking_id}/decline", {"reason": "I am booked then."}, expect=200)
    show(run, answer, "the mentor declines it, with a reason")
    run.await_all([mail, expect_webhook(run, "booking.declined", booking_id)], since=answer.sent_at)


def _accept_and_wait(run: DemoRun, people: Participants, start: datetime) -> None:
    booking_id = _request(run, people, start, "the mentee asks for another hour")
    mails = _expect_both_mails(run, people)
    answer = people.mentor.post(f"/bookings/{booking_id}/accept", expect=201, prefer="wait=10")
    session: dict[str, Any] = answer.body["session"]
    show(run, answer, f"the mentor accepts with Prefer: wait=10: 201, the session is {session['status']}")
    run.await_all([*mails, expect_webhook(run, "session.created", session["id"])], since=answer.sent_at)


def _expect_both_mails(run: DemoRun, people: Participants) -> list[Expected]:
    return [expect_mail(run, people.mentee_mail, "mentee"), expect_mail(run, people.mentor_mail, "mentor")]


def show(run: DemoRun, answer: Answer, step: str) -> None:
    """Print an answer of the API as a step."""
    run.output.step(step, by="api", milliseconds=answer.milliseconds)


COMPLETION = {
    "notes": "We went through two offers.",
    "rating": 5,
    "feedback": "Well prepared.",
    "actionItems": ["Write to the second company", "Read the contract"],
}


def hold_session(run: DemoRun, people: Participants, booked: Booked) -> None:
    """Play a session's life to its end."""
    run.output.heading("The session is held, and its completion fans out")
    _start(run, people, booked)
    _complete(run, people, booked)
    mine = people.mentee.get("/sessions/mentee/my-sessions?status=completed")
    if [session["id"] for session in mine.body["items"]] != [booked.session_id]:
        raise DemoFailed("The mentee's list of completed sessions does not hold this one alone.", process="api")
    run.output.step("the mentee finds it in their list", by="api", milliseconds=mine.milliseconds)


def _start(run: DemoRun, people: Participants, booked: Booked) -> None:
    answer = people.mentee.post(f"/sessions/{booked.session_id}/start", expect=200)
    run.output.step("the mentee starts the session: in_progress", by="api", milliseconds=answer.milliseconds)
    _find_link(run, people, booked, answer.body["joinUrl"])
    webhook = expect_webhook(run, "session.started", booked.session_id)
    effects = booked.effects
    run.await_all([*effects.expect_of(SessionStarted), webhook], since=answer.sent_at, refresh=effects.refresh)


def _find_link(run: DemoRun, people: Participants, booked: Booked, link: str | None) -> None:
    answer = people.mentor.get(f"/sessions/{booked.session_id}")
    if answer.body["joinUrl"] != link or (link is None) != (settings().meeting_url is None):
        raise DemoFailed("Mentor and mentee do not find one link to meet at.", process="api")
    if link:
        run.output.step(f"both find the link to meet at, {link}", by="api", milliseconds=answer.milliseconds)


def _complete(run: DemoRun, people: Participants, booked: Booked) -> None:
    mails = _expect_both_mails(run, people)
    answer = people.mentor.post(f"/sessions/{booked.session_id}/complete", COMPLETION, expect=200)
    run.output.step("the mentor completes it, with notes: completed", by="api", milliseconds=answer.milliseconds)
    webhook = expect_webhook(run, "session.completed", booked.session_id)
    effects = booked.effects
    expected = [*effects.expect_of(SessionCompleted), *mails, webhook, effects.expect_all()]
    run.await_all(expected, since=answer.sent_at, refresh=effects.refresh)


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
        DemoFailed: a count is not what the steps add up to, or the database cannot be asked.
    """
    run.output.heading("What was stored and received")
    try:
        run.await_all([_expect_quiet(people, engine)], since=monotonic())
        _check_rows(run, people, booked, engine)
    except SQLAlchemyError as error:
        raise DemoFailed(f"The database could not be asked: {error}", process=DATABASE) from error
    _check_mails(run, people)
    _check_webhooks(run)


def _check_rows(run: DemoRun, people: Participants, booked: Booked, engine: Engine) -> None:
    session, both_sides = UUID(booked.session_id), ("session_created", "session_completed")
    permits = select(func.count()).where(
        review_permits.c.session_id == session, review_permits.c.mentee_user_id == UUID(people.mentee_id)
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
            _check(what, db.scalar(query), right, worker)
        run.output.step(what, by=DATABASE, milliseconds=(monotonic() - began) * 1000)


def _expect_quiet(people: Participants, engine: Engine) -> Expected:
    """Deliveries that are due, or have been tried and are to be tried again: everything that is no timer."""
    mentor = UUID(people.mentor_profile_id)
    subjects = union_all(
        *(select(each.c.id).where(each.c.mentor_profile_id == mentor) for each in (bookings, sessions))
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
    _check("mails received", len(mails), MAILS, "worker-notifications")
    _check("different Message-IDs", len({mail.message_id for mail in mails}), MAILS, "worker-notifications")
    bodies = Counter(mail.kinds for mail in mails)
    right = {WORDS: MAILS - INVITATIONS, (*WORDS, "text/calendar", "application/ics"): INVITATIONS}
    _check("mails as text and HTML, with invitations", bodies, right, "worker-notifications")
    run.output.step(f"{MAILS} mails received, each with a Message-ID of its own, as text and HTML", by=SMTP_SINK)
    run.output.step(f"{INVITATIONS} of them are invitations, for the calendars of both", by=SMTP_SINK)


def _check_webhooks(run: DemoRun) -> None:
    messages = run.receiver.messages()
    ids = {message.webhook_id for message in messages}
    _check("webhooks received", len(ids), WEBHOOKS, "worker-webhooks")
    run.output.step(f"{WEBHOOKS} webhooks received, each with an id of its own and a signature that fits", by=RECEIVER)


def _check(what: str, found: object, right: object, worker: str) -> None:
    if found != right:
        raise DemoFailed(f"{what}: found {found}, and {right} would be right.", process=worker)


def pause_endpoint(run: DemoRun, people: Participants) -> None:
    """Pause the demo's endpoint when its receiver leaves: another program may have its port by then."""
    try:
        people.mentor.patch(f"/webhook-endpoints/{people.endpoint_id}", {"state": "paused"})
    except DemoFailed as failure:
        run.output.line(f"The demo's webhook endpoint could not be paused: {failure}")


def check_invariants(run: DemoRun, operator: Client) -> None:
    """Ask for violations, and show what was asked.

    Raises:
        DemoFailed: something that must always be true is not, and has not become so in time.
    """
    found: dict[str, Any] = {}

    def look() -> Seen | None:
        answer = operator.get("/operations/invariants")
        found.update(answer.body)
        if not found["ok"]:
            return None
        return Seen(
            answer.sent_at + answer.milliseconds / 1000, f"every invariant holds: {len(found['items'])} queries"
        )

    def violated() -> str:
        return ", ".join(f"{item['name']} {item['violations']} times" for item in found["items"] if item["violations"])

    began = operator.get("/operations/invariants").sent_at
    run.output.heading("The invariants")
    expected = Expected("A look without violations of the invariants", "api", look, "maintain", violated)
    run.await_all([expected], since=began)


def check_page(run: DemoRun, url: str, name: str, process: str) -> None:
    """Whether a page that people are sent to is there."""
    try:
        response = run.http.request("GET", url, timeout=run.timeout_seconds, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise DemoFailed(f"{name} does not answer at {url}: {error}", process=process) from error
    if response.status != 200:
        raise DemoFailed(f"{name} answered {response.status} at {url}.", process=process)
    run.output.step(f"{name} is served", by=process)
