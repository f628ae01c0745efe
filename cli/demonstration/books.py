"""Fourth act: what stands in the database and in the mailbox now, counted: everything, and everything once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from cli.demonstration.decision import Booked
from cli.demonstration.failure import DemoFailed
from cli.demonstration.people import MINUTES, Cast
from cli.demonstration.scene import Expected, Scene, Seen
from cli.demonstration.show import DATABASE, RECEIVER, SMTP_SINK
from models.analytics import daily_session_stats
from models.bookings import bookings
from models.events import DeliveryState
from models.notifications import notifications
from models.reviews import review_permits
from models.sessions import sessions
from workflows.events.store import statuses_of_subjects

# Three requests, one refusal, two sessions made and one completed: to one, one, and both people.
MAILS = 3 + 1 + 2 * 2 + 2
# Two sessions made, for the calendars of both people.
INVITATIONS = 2 * 2
WORDS = ("text/plain", "text/html")
# The ping, three requests, one refusal, two acceptances, two sessions made, one started, one completed.
WEBHOOKS = 1 + 3 + 1 + 2 + 2 + 1 + 1


@dataclass(frozen=True)
class _Count:
    what: str
    find: Callable[[Connection], Any]
    right: Any
    worker: str


def audit(scene: Scene, cast: Cast, booked: Booked, engine: Engine) -> None:
    """Count rows, mails and webhooks.

    Raises:
        DemoFailed: a count is not what the story adds up to, or the database cannot be asked.
    """
    scene.show.act("What is in the books now")
    try:
        scene.await_all([_expect_quiet(cast, engine)], since=monotonic())
        _check_rows(scene, cast, booked, engine)
    except SQLAlchemyError as error:
        raise DemoFailed(f"The database could not be asked: {error}", process=DATABASE) from error
    _check_mails(scene, cast)
    _check_webhooks(scene)


def _check_rows(scene: Scene, cast: Cast, booked: Booked, engine: Engine) -> None:
    for count in _counts(cast, booked):
        began = monotonic()
        with engine.connect() as db:
            found = count.find(db)
        _check(count.what, found, count.right, count.worker)
        scene.show.step(count.what, by=DATABASE, milliseconds=(monotonic() - began) * 1000)


def _expect_quiet(cast: Cast, engine: Engine) -> Expected:
    """Deliveries that are due, or have been tried and are to be tried again: everything that is no timer."""
    mentor = UUID(cast.mentor_profile_id)
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


def _counts(cast: Cast, booked: Booked) -> list[_Count]:
    session, mentor = UUID(booked.session_id), UUID(cast.mentor_profile_id)
    stats = daily_session_stats.c
    permits = select(func.count()).where(
        review_permits.c.session_id == session, review_permits.c.mentee_user_id == UUID(cast.mentee_id)
    )
    counters = (stats.created, stats.started, stats.completed, stats.minutes)
    both_sides = ("session_created", "session_completed")
    told = select(func.count()).where(notifications.c.session_id == session, notifications.c.kind.in_(both_sides))
    day = select(*(func.coalesce(func.sum(counter), 0) for counter in counters)).where(
        stats.mentor_profile_id == mentor
    )
    return [
        _Count("the review is unlocked, by one permit", lambda db: db.scalar(permits), 1, "worker-reviews"),
        _Count(
            f"the day is counted: 2 created, 1 started, 1 completed, {MINUTES} minutes",
            lambda db: tuple(db.execute(day).one()),
            (2, 1, 1, MINUTES),
            "worker-analytics",
        ),
        _Count(
            "8 notifications of the session: two people, two channels, created and completed",
            lambda db: db.scalar(told),
            8,
            "worker-notifications",
        ),
    ]


def _check_mails(scene: Scene, cast: Cast) -> None:
    mails = scene.mailbox.mails(cast.mentee_mail, cast.mentor_mail)
    _check("mails received", len(mails), MAILS, "worker-notifications")
    _check("different Message-IDs", len({mail.message_id for mail in mails}), MAILS, "worker-notifications")
    bodies = Counter(mail.kinds for mail in mails)
    right = {WORDS: MAILS - INVITATIONS, (*WORDS, "text/calendar", "application/ics"): INVITATIONS}
    _check("mails as text and HTML, with invitations", bodies, right, "worker-notifications")
    scene.show.step(f"{MAILS} mails received, each with a Message-ID of its own, as text and HTML", by=SMTP_SINK)
    scene.show.step(f"{INVITATIONS} of them are invitations, for the calendars of both", by=SMTP_SINK)


def _check_webhooks(scene: Scene) -> None:
    messages = scene.receiver.messages()
    ids = {message.webhook_id for message in messages}
    _check("webhooks received", len(ids), WEBHOOKS, "worker-webhooks")
    scene.show.step(f"{WEBHOOKS} webhooks received, each with an id of its own and a signature that fits", by=RECEIVER)


def _check(what: str, found: object, right: object, worker: str) -> None:
    if found != right:
        raise DemoFailed(f"{what}: found {found}, and {right} would be right.", process=worker)


def silence_endpoint(scene: Scene, cast: Cast) -> None:
    """Pause the demo's endpoint when its receiver leaves: nobody should call a port that is somebody else's by then."""
    try:
        cast.mentor.patch(f"/webhook-endpoints/{cast.endpoint_id}", {"state": "paused"})
    except DemoFailed as failure:
        scene.show.say(f"The demo's webhook endpoint could not be paused: {failure}")
