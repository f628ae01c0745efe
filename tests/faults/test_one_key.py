"""A thousand requests with one Idempotency-Key while processes of the API are killed: one effect, equal answers."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from uuid import uuid4

import psutil
import pytest
from urllib3.exceptions import HTTPError

from tests.eventually import eventually
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants
from tests.processes import kill_all
from tests.speaking import Answer, Caller

AT_A_TIME = 20
REQUESTS_A_KILL = 100
# A client tries again as often as it takes; one that never gets an answer must not hang the test.
MAX_TRIES = 1_200
PAUSE_SECONDS = 0.05
HELD = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tutelage-api' AND wait_event_type = 'Lock'
"""
MADE = "SELECT count(*) FROM events WHERE type = 'booking.requested' AND data ->> 'mentor_profile_id' = %s"


def test_one_key_is_one_effect_whatever_is_killed(
    sut: SystemUnderTest, cast: Participants, figures: Figures, same_key_requests: int
) -> None:
    body = {"listingId": cast.listing_id, "startTime": cast.slot(), "notes": "between you and me"}
    key, tries, answered = str(uuid4()), Counter[str](), threading.Semaphore(0)

    def ask(_number: int) -> Answer:
        answer = persistently(cast.mentee, body, key, tries)
        answered.release()
        return answer

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        with sut.db() as db, sut.db() as onlooker, db.transaction():
            # The booking's foreign key waits for its mentee's row: the first request stands still in its transaction.
            db.execute("SELECT FROM users WHERE id = %s FOR UPDATE", [cast.mentee_user_id])
            asked = pool.map(ask, range(same_key_requests))
            eventually(lambda: onlooker.execute(HELD).fetchone() == (1,), "the first request, which waits")
            kill_workers(sut)
        with killing(sut, answered, same_key_requests // REQUESTS_A_KILL):
            answers = list(asked)
    assert {answer.status for answer in answers} == {201}
    assert len({str(answer.body) for answer in answers}) == 1
    assert len({(answer.headers["ETag"], answer.headers["Location"]) for answer in answers}) == 1
    # The first answer may be the one that a kill kept from its client.
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) <= 1
    with sut.db() as db:
        assert db.execute(MADE, [cast.mentor_profile_id]).fetchone() == (1,)
    for name, number in tries.items():
        figures(f"requests that were {name}", number)


def persistently(caller: Caller, body: object, key: str, tries: Counter[str]) -> Answer:
    """The answer that a client gets which asks again after a lost connection, a 409 `key_in_use` and a 503."""
    for _ in range(MAX_TRIES):
        try:
            answer = caller("POST", "/bookings", body, Idempotency_Key=key)
        except HTTPError:
            tries["lost"] += 1
        else:
            if answer.status not in (409, 503):
                tries["answered"] += 1
                return answer
            assert answer.status == 503 or answer.body["code"] == "key_in_use", answer
            assert int(answer.headers["Retry-After"]) >= 1
            tries["refused for the moment"] += 1
        # Less than Retry-After asks for: the more of them are under way at once.
        threading.Event().wait(PAUSE_SECONDS)
    pytest.fail(f"no answer: {tries}")


@contextmanager
def killing(sut: SystemUnderTest, answered: threading.Semaphore, kills: int) -> Iterator[None]:
    """Within the block, kill the processes of the API after so many answers, again and again."""
    killed: list[int] = []

    def kill() -> None:
        for _ in range(kills):
            for _ in range(REQUESTS_A_KILL // 2):
                answered.acquire(timeout=60)
            killed.extend(kill_workers(sut))
            for _ in range(REQUESTS_A_KILL // 2):
                answered.acquire(timeout=60)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()
    assert len(set(killed)) >= kills


def kill_workers(sut: SystemUnderTest) -> list[int]:
    """kill -9 every process of the API that answers requests; its master starts others."""

    def present() -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(sut.pid("api")).children()
        return []

    workers = eventually(present, "processes of the API")
    kill_all(workers)
    return [worker.pid for worker in workers]
