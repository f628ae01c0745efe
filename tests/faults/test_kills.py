"""Parts are killed in the middle of their work: what was answered is kept, and done exactly once."""

from __future__ import annotations

import psutil

from tests.cast import Cast
from tests.eventually import eventually
from tests.faults.sufferer import Figures, Sufferer

ROUNDS = 3
# A worker has to be started again before it can do anything.
RESTART_SECONDS = 20.0
HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'tutelage-worker' AND wait_event_type = 'Lock' AND query ILIKE '%INSERT INTO sessions%'
"""


def test_a_worker_killed_in_its_task_leaves_one_session(sufferer: Sufferer, cast: Cast, figures: Figures) -> None:
    killed = sufferer.pid("worker-sessions")
    booking = cast.request()
    with sufferer.db() as db, sufferer.db() as onlooker, db.transaction():
        # The session's foreign key waits for its mentee's row: the worker stands still in its transaction.
        db.execute("SELECT FROM users WHERE id = %s FOR UPDATE", [cast.mentee_user_id])
        cast.mentor.patch(f"/bookings/{booking}/accept")
        eventually(lambda: onlooker.execute(HELD).fetchone() == (1,), "the insert that waits", seconds=4)
        sufferer.kill("worker-sessions")
    figures("seconds from the kill to the session", sufferer.await_sessions([booking], RESTART_SECONDS))
    _assert_created_once(sufferer, booking)
    eventually(lambda: sufferer.pid("worker-sessions") != killed, "a new worker in run.json")


def test_an_api_killed_right_after_its_answer_keeps_it(sufferer: Sufferer, cast: Cast, figures: Figures) -> None:
    for _ in range(ROUNDS):
        drafts = [cast.request() for _ in range(3)]
        # Redis takes nothing for the moment, so that whatever was to be nudged dies with the API.
        sufferer.valkey.stop_answering()
        try:
            for draft in drafts:
                cast.mentor.patch(f"/bookings/{draft}/accept")
            sufferer.kill("api")
        finally:
            sufferer.valkey.answer_again()
        figures("seconds from the kill to all sessions", sufferer.await_sessions(drafts))
        eventually(sufferer.is_ready, "an API that answers")


def test_without_any_worker_everything_waits_and_is_then_done(sufferer: Sufferer, cast: Cast, figures: Figures) -> None:
    queues = [entry["name"] for entry in sufferer.system.run["processes"] if entry["name"].startswith("worker-")]
    workers = [psutil.Process(sufferer.pid(name)) for name in queues]
    for worker in workers:
        worker.suspend()
    try:
        drafts = [cast.request() for _ in range(10)]
        for draft in drafts:
            cast.mentor.patch(f"/bookings/{draft}/accept")
        answer = cast.mentor("GET", "/sessions/" + cast.mentor.get(f"/bookings/{drafts[0]}")["sessionId"])
        assert (answer.status, answer.body["code"]) == (404, "session_pending")
        assert answer.headers["Retry-After"] == "1"
        assert sufferer.sessions_of(drafts) == 0
        for name in queues:
            sufferer.kill(name)
    finally:
        for worker in workers:
            if worker.is_running():
                worker.resume()
    figures("seconds from the kill to all sessions", sufferer.await_sessions(drafts, RESTART_SECONDS))


def test_without_a_sweep_fresh_work_takes_lost_rows_along(sufferer: Sufferer, cast: Cast) -> None:
    with sufferer.stopped("sweep"):
        fresh = cast.request()
        cast.mentor.patch(f"/bookings/{fresh}/accept")
        sufferer.await_sessions([fresh])
        with sufferer.stopped("worker-sessions"), sufferer.valkey.client() as client:
            lost = [cast.request() for _ in range(5)]
            for draft in lost:
                cast.mentor.patch(f"/bookings/{draft}/accept")
            eventually(lambda: client.llen("sessions"), "messages in the list")
            client.flushall()
        another = cast.request()
        cast.mentor.patch(f"/bookings/{another}/accept")
        sufferer.await_sessions([*lost, another])


def _assert_created_once(sufferer: Sufferer, booking: str) -> None:
    with sufferer.db() as db:
        created = "SELECT count(*) FROM events WHERE type = 'session.created' AND data ->> 'booking_id' = %s"
        assert db.execute(created, [booking]).fetchone() == (1,)
    assert sufferer.sessions_of([booking]) == 1
