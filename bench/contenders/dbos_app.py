"""DBOS Transact doing the same work as durable workflows: `python -m bench.contenders.dbos_app MODE COUNT`.

The tables and the bodies of the steps are those of the usual application, called as functions; what makes them durable
is DBOS. There is no HTTP around it. It prints one line of JSON: how many, and in how many seconds.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig
from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.contenders import usual_app as tables

THREADS = 8
QUEUE = "bench"
# The default, one second, would be most of what is measured.
QUEUE_POLL_SECONDS = 0.05


@DBOS.step()
def create_session(booking_id: str) -> str:
    """The session of an accepted booking, made once."""
    with Session(tables.engine, expire_on_commit=False) as db:
        booking = db.get_one(tables.Booking, uuid.UUID(booking_id))
        session = db.scalar(select(tables.SessionRow).where(tables.SessionRow.booking_id == booking.id))
        if session is None:
            session = tables.SessionRow(
                booking_id=booking.id,
                mentor_id=booking.mentor_id,
                mentee_id=booking.mentee_id,
                start_time=booking.start_time,
                end_time=booking.end_time,
            )
            db.add(session)
            db.commit()
        return str(session.id)


@DBOS.step()
def accept(booking_id: str) -> None:
    """The mentor's decision."""
    with Session(tables.engine) as db:
        booking = db.get_one(tables.Booking, uuid.UUID(booking_id), with_for_update=True)
        db.scalar(select(tables.Mentor).where(tables.Mentor.id == booking.mentor_id).with_for_update())
        booking.status = "accepted"
        db.commit()


@DBOS.step()
def move(session_id: str, status: str) -> None:
    """A step of the session."""
    with Session(tables.engine) as db:
        db.get_one(tables.SessionRow, uuid.UUID(session_id), with_for_update=True).status = status
        db.commit()


@DBOS.step()
def notify(kind: str, users: list[str], subject: str) -> None:
    """Notifications of an event."""
    tables.notify(kind, users, subject)


@DBOS.step()
def mail(kind: str, user: str, subject: str) -> None:
    """A mail into the folder."""
    tables.mail(kind, user, subject)


@DBOS.step()
def count(kind: str, mentor: str) -> None:
    """A counter."""
    tables.count(kind, mentor)


@DBOS.step()
def webhook(kind: str, subject: str) -> None:
    """A webhook, signed and sent."""
    tables.webhook(kind, subject)


@DBOS.step()
def permit(session_id: str) -> None:
    """The review's permit."""
    with Session(tables.engine) as db:
        db.add(tables.Permit(session_id=uuid.UUID(session_id)))
        db.commit()


@DBOS.workflow()
def book(booking_id: str) -> str:
    """An accepted booking becomes a session."""
    session_id: str = create_session(booking_id)
    return session_id


@DBOS.workflow()
def live(booking_id: str, mentor_id: str, mentor_user_id: str, mentee_id: str) -> None:
    """A whole life from the request's effects on."""
    users = {"mentor": mentor_user_id, "mentee": mentee_id}
    follow("booking.requested", booking_id, mentor_id, [mentor_id], [users["mentor"]])
    accept(booking_id)
    follow("booking.accepted", booking_id, mentor_id, [mentee_id], [])
    session_id = create_session(booking_id)
    both = [mentor_id, mentee_id]
    follow("session.created", session_id, mentor_id, both, list(users.values()))
    move(session_id, "in_progress")
    follow("session.started", session_id, mentor_id, both, [])
    move(session_id, "completed")
    follow("session.completed", session_id, mentor_id, both, list(users.values()))
    permit(session_id)
    notify("review.unlocked", [mentee_id], session_id)
    webhook("review.unlocked", session_id)


def follow(kind: str, subject: str, mentor_id: str, notified: list[str], mailed: list[str]) -> None:
    """The effects of one event, a step each."""
    notify(kind, notified, subject)
    for user in mailed:
        mail(kind, user, subject)
    count(kind, mentor_id)
    webhook(kind, subject)


def make_bookings(number: int, status: str) -> list[tuple[str, str, str, str]]:
    """Bookings of one mentor, an hour each: their ids and their parties'."""
    start = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    with Session(tables.engine, expire_on_commit=False) as db:
        mentor_user, mentee = tables.User(name="m"), tables.User(name="n")
        db.add_all([mentor_user, mentee])
        db.flush()
        mentor = tables.Mentor(user_id=mentor_user.id)
        db.add(mentor)
        db.flush()
        bookings = [
            tables.Booking(
                mentor_id=mentor.id,
                mentee_id=mentee.id,
                status=status,
                start_time=start + dt.timedelta(hours=hours),
                end_time=start + dt.timedelta(hours=hours + 1),
            )
            for hours in range(number)
        ]
        db.add_all(bookings)
        db.commit()
        return [(str(each.id), str(mentor.id), str(mentor_user.id), str(mentee.id)) for each in bookings]


def run_lives(number: int) -> None:
    """Whole lives, run directly by threads of this process."""
    bookings = make_bookings(number, "draft")
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda ids: live(*ids), bookings))


def run_directly(number: int) -> None:
    """A backlog of accepted bookings: a workflow each, run directly by threads of this process."""
    bookings = make_bookings(number, "accepted")
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda ids: book(ids[0]), bookings))


def run_queued(number: int) -> None:
    """A backlog of accepted bookings: a workflow each, put on a queue and taken from it."""
    handles = [DBOS.enqueue_workflow(QUEUE, book, ids[0]) for ids in make_bookings(number, "accepted")]
    for handle in handles:
        handle.get_result()


MODES: dict[str, Callable[[int], None]] = {"lives": run_lives, "direct": run_directly, "queued": run_queued}


def main() -> None:
    """Launch, warm up, measure one mode, and print what came of it."""
    mode, number = sys.argv[1], int(sys.argv[2])
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["DATABASE_URL"],
        "sys_db_pool_size": 2 * THREADS,
        "log_level": "WARNING",
    }
    # Its tasks are called as functions, from several threads at once.
    tables.celery.finalize()
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=THREADS, polling_interval_sec=QUEUE_POLL_SECONDS)
    MODES[mode](THREADS)
    began, spent = time.monotonic(), time.process_time()
    MODES[mode](number)
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "processor_seconds": time.process_time() - spent}), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
