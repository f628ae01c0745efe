"""Parts are killed in the middle of their work: what was answered is kept, and done exactly once."""

from contextlib import suppress

import psutil

from tests.eventually import eventually
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants

ROUNDS = 3
# A worker has to be started again before it can do anything.
RESTART_SECONDS = 40.0
HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'tutelage-worker' AND wait_event_type = 'Lock' AND query ILIKE '%INSERT INTO sessions%'
"""


def test_a_worker_killed_in_its_task_leaves_one_session(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    killed = sut.pid("worker-sessions")
    booking = cast.request()
    with sut.db() as db, sut.db() as onlooker, db.transaction():
        with sut.stopped("worker-sessions"):
            cast.mentor.patch(f"/bookings/{booking}/accept")
            # The session's foreign key waits for its mentee's row: the worker stands still in its transaction.
            db.execute("SELECT FROM users WHERE id = %s FOR UPDATE", [cast.mentee_user_id])
        eventually(lambda: onlooker.execute(HELD).fetchone() == (1,), "the insert that waits")
        sut.kill("worker-sessions")
    figures("seconds from the kill to the session", sut.await_sessions([booking], RESTART_SECONDS))
    _assert_created_once(sut, booking)
    eventually(lambda: sut.pid("worker-sessions") != killed, "a new worker in run.json")


def test_an_api_killed_right_after_its_answer_keeps_it(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    for _ in range(ROUNDS):
        drafts = [cast.request() for _ in range(3)]
        # Redis takes nothing for the moment, so that whatever was to be nudged dies with the API.
        sut.valkey.stop_answering()
        try:
            for draft in drafts:
                cast.mentor.patch(f"/bookings/{draft}/accept")
            sut.kill("api")
        finally:
            sut.valkey.answer_again()
        figures("seconds from the kill to all sessions", sut.await_sessions(drafts))
        eventually(sut.is_ready, "an API that answers")


def test_without_any_worker_everything_waits_and_is_then_done(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    queues = [entry["name"] for entry in sut.system.run["processes"] if entry["name"].startswith("worker-")]
    workers = [psutil.Process(sut.pid(name)) for name in queues]
    for worker in workers:
        worker.suspend()
    try:
        drafts = [cast.request() for _ in range(10)]
        for draft in drafts:
            cast.mentor.patch(f"/bookings/{draft}/accept")
        answer = cast.mentor("GET", "/sessions/" + cast.mentor.get(f"/bookings/{drafts[0]}")["sessionId"])
        assert (answer.status, answer.body["code"]) == (404, "session_pending")
        assert answer.headers["Retry-After"] == "1"
        assert sut.sessions_of(drafts) == 0
        for name in queues:
            sut.kill(name)
    finally:
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.resume()
    figures("seconds from the kill to all sessions", sut.await_sessions(drafts, RESTART_SECONDS))


def test_without_a_sweep_fresh_work_takes_lost_rows_along(sut: SystemUnderTest, cast: Participants) -> None:
    with sut.stopped("sweep"):
        fresh = cast.request()
        cast.mentor.patch(f"/bookings/{fresh}/accept")
        sut.await_sessions([fresh])
        with sut.stopped("worker-sessions"), sut.valkey.client() as client:
            lost = [cast.request() for _ in range(5)]
            for draft in lost:
                cast.mentor.patch(f"/bookings/{draft}/accept")
            eventually(lambda: client.llen("sessions"), "messages in the list")
            client.flushall()
        another = cast.request()
        cast.mentor.patch(f"/bookings/{another}/accept")
        sut.await_sessions([*lost, another])


def _assert_created_once(sut: SystemUnderTest, booking: str) -> None:
    with sut.db() as db:
        created = "SELECT count(*) FROM events WHERE type = 'session.created' AND data ->> 'booking_id' = %s"
        assert db.execute(created, [booking]).fetchone() == (1,)
    assert sut.sessions_of([booking]) == 1
