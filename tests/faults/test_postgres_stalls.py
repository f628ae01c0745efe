"""PostgreSQL is stopped under load, and keeps its connections: 503 in time, and all goes on where it was afterwards."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import uuid4

from tests.eventually import PAUSE_SECONDS, eventually
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants
from tests.speaking import Answer

# More than the API has threads and pooled connections, so that some of the requests wait for a thread.
CLIENTS = 24
STATEMENT_LIMIT_SECONDS = 10.0
HEALTH_LIMIT_SECONDS = 2.0


def test_stalled_postgres_is_503_in_time_and_ends_nothing(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    drafts = [cast.request() for _ in range(CLIENTS)]
    pids, log_begins = sut.pids(), len(sut.log("sweep"))
    seen: list[Answer] = []
    stalled, all_there = Event(), Barrier(CLIENTS)

    def accept(draft: str) -> Answer:
        """Read until the database stalls, and then accept, again and again under one key."""
        key = uuid4().hex
        all_there.wait()
        while not stalled.is_set():
            seen.append(cast.mentor("GET", f"/bookings/{draft}"))

        def ask() -> list[Answer]:
            answer = cast.mentor("PATCH", f"/bookings/{draft}/accept", Idempotency_Key=key)
            seen.append(answer)
            return [] if answer.status in (409, 503) else [answer]

        return eventually(ask, "an answer", seconds=90)[0]

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(accept, draft) for draft in drafts]
        eventually(lambda: len(seen) > 4 * CLIENTS, "answers of all connections")
        with sut.stopped("postgres"):
            stalled.set()
            health = observe_health(sut, lambda: "sweep.trouble" in sut.log("sweep")[log_begins:])
        finals = [answer.result() for answer in answers]
    assert {answer.status for answer in finals} == {202}
    refused = [answer for answer in seen if answer.status == 503]
    assert len(refused) >= CLIENTS
    assert {(answer.body["code"], answer.headers["Retry-After"]) for answer in refused} == {("unavailable", "1")}
    slowest, slowest_health = (max(answer.seconds for answer in group) for group in (seen, health))
    figures("seconds that the slowest answer took", slowest)
    figures("seconds that the slowest answer about health took", slowest_health)
    assert slowest <= STATEMENT_LIMIT_SECONDS
    assert slowest_health <= HEALTH_LIMIT_SECONDS
    sut.await_sessions(drafts, 20)
    eventually(sut.is_ready, "readiness")
    eventually(lambda: "sweep.recovered" in sut.log("sweep")[log_begins:], "the sweep")
    assert sut.pids() == pids


def observe_health(sut: SystemUnderTest, is_over: Callable[[], bool]) -> list[Answer]:
    """Ask for the health until the statements' limit has passed and it is over; returns the answers."""
    until, answers = time.monotonic() + STATEMENT_LIMIT_SECONDS, list[Answer]()
    while time.monotonic() < until or not is_over():
        live, ready = (sut.api("GET", f"/health/{path}") for path in ("live", "ready"))
        assert (live.status, ready.status) == (200, 503)
        answers += [live, ready]
        time.sleep(PAUSE_SECONDS)
    return answers
