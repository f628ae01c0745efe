"""PostgreSQL is killed under load: 503 while it is away, and nothing that was answered with 2xx is lost."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from uuid import uuid4

import psycopg

from tests.eventually import eventually
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants
from tests.speaking import Answer

DRAFTS = 60
CLIENTS = 4
HELD = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tutelage-api' AND wait_event_type = 'Lock'
"""


def test_postgres_killed_under_load_loses_no_answer(sut: SystemUnderTest, cast: Participants, figures: Figures) -> None:
    drafts = [cast.request() for _ in range(DRAFTS)]
    before = sut.pid("postgres")
    seen: list[Answer] = []
    half_way = Event()

    def accept(draft: str) -> Answer:
        """Ask again, under the same key, for as long as the answer is that the database is away."""
        key = uuid4().hex

        def ask() -> list[Answer]:
            answer = cast.mentor("PATCH", f"/bookings/{draft}/accept", Idempotency_Key=key)
            seen.append(answer)
            if len(seen) >= DRAFTS // 2:
                half_way.set()
            return [] if answer.status in (409, 503) else [answer]

        return eventually(ask, "an answer", seconds=60)[0]

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(accept, draft) for draft in drafts]
        half_way.wait(60)
        with sut.db() as db, sut.db() as onlooker, suppress(psycopg.OperationalError), db.transaction():
            # Not one of them is answered before the kill, however long that takes.
            db.execute("SELECT FROM bookings WHERE id = ANY(%s) FOR UPDATE", [drafts])
            eventually(lambda: onlooker.execute(HELD).fetchone() == (CLIENTS,), "accepts that wait")
            sut.kill("postgres")
        finals = [answer.result() for answer in answers]
    assert {answer.status for answer in finals} == {202}
    away = [answer for answer in seen if answer.status == 503]
    assert away
    assert {(answer.body["code"], answer.headers["Retry-After"]) for answer in away} == {("unavailable", "1")}
    assert {answer.body["code"] for answer in seen if answer.status == 409} <= {"key_in_use"}
    sut.await_sessions(drafts, 20)
    eventually(lambda: sut.pid("postgres") != before, "a new PostgreSQL in run.json")
    figures("answers of 503", len(away))
    figures("seconds that the slowest answer took", max(answer.seconds for answer in seen))
