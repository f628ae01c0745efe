"""A database that stalls: answers in time, from every thread, and no process is replaced for its sake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api.readiness import ANSWER_SECONDS
from cli.embedded import EmbeddedServer, start_postgres
from cli.migrate import upgrade
from models.engine import create
from tests.api.conftest import Cast
from tests.api.running import LIMITS
from tests.api.served import Served, serving
from tests.application import ApiResponse, World, as_operator
from tests.eventually import eventually
from tests.processes import stopped
from tests.servers import FAST

THREADS = 4  # of two processes
LIMIT_SECONDS = 10.0
SLOW_COMMIT = """
CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON bookings DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_at_commit()
"""
QUICK_COMMIT = "DROP TRIGGER slow_commit ON bookings; DROP FUNCTION wait_at_commit()"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that a test may stop."""
    folder = tmp_path_factory.mktemp("postgres")
    folder.chmod(0o711)
    server = start_postgres(folder / "postgres", settings=FAST)
    upgrade(server.url)
    yield server
    server.stop()


def timed(served: Served, path: str) -> tuple[int, float]:
    began = time.monotonic()
    return served.get(path, Authorization=as_operator()["Authorization"]).status, time.monotonic() - began


def test_processes_that_wait_for_the_database_are_not_replaced(postgres: EmbeddedServer, tmp_path: Path) -> None:
    assert LIMITS.hung_seconds < LIMIT_SECONDS - 2
    # Threads without connections, too: they have to make one.
    with serving(tmp_path, postgres.url) as served, ThreadPoolExecutor(5 * THREADS) as clients:
        paths = ["/courses"] * 5 * THREADS
        assert {status for status, _ in clients.map(lambda path: timed(served, path), paths)} == {200}
        workers = set(served.workers())
        with stopped(postgres.process.pid):
            answers = [clients.submit(timed, served, path) for path in paths]
            health = []
            while not all(answer.done() for answer in answers):
                health += [(path, *timed(served, path)) for path in ("/health/live", "/health/ready")]
            assert {answer.result()[0] for answer in answers} == {503}
            assert max(answer.result()[1] for answer in answers) <= LIMIT_SECONDS
            assert {(path, status) for path, status, _ in health} == {("/health/live", 200), ("/health/ready", 503)}
            assert max(seconds for _, _, seconds in health) < 2
        eventually(lambda: timed(served, "/courses")[0] == 200, "an answer")
        eventually(lambda: served.get("/health/ready").status == 200, "readiness")
        assert set(served.workers()) == workers


def test_new_connections_to_a_stalled_server_fail_at_once(postgres: EmbeddedServer) -> None:
    engine = create(postgres.url, pool_size=4)

    def connects(at_once: int = 1) -> bool:
        try:
            with ExitStack() as taken:
                for _ in range(at_once):
                    taken.enter_context(engine.connect())
        except OperationalError:
            return False
        return True

    def seconds() -> float:
        began = time.monotonic()
        assert not connects()
        return time.monotonic() - began

    assert connects()
    with stopped(postgres.process.pid), engine.connect():
        # The first waits for the handshake, and all others for nothing.
        assert seconds() < 3.5
        assert sum(seconds() for _ in range(100)) < 1
    eventually(lambda: connects(4), "all connections")
    engine.dispose()


def test_readiness_is_answered_in_time_to_all_who_ask_at_once(postgres: EmbeddedServer) -> None:
    world = World.on(create(postgres.url))
    assert world.client.get("/health/ready").status_code == 200

    def ask(_number: int) -> tuple[int, float]:
        began = time.monotonic()
        return world.client.get("/health/ready").status_code, time.monotonic() - began

    with stopped(postgres.process.pid), ThreadPoolExecutor(8) as monitors:
        answers = list(monitors.map(ask, range(40)))
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < ANSWER_SECONDS + 0.5
    eventually(lambda: ask(0)[0] == 200, "readiness")


def test_a_commit_without_an_answer_is_503_and_its_retry_gets_the_answer(world: World, cast: Cast) -> None:
    database_url = world.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    impatient = create(database_url)
    event.listen(impatient, "connect", lambda connection, _entry: setattr(connection, "limit_seconds", 0.5))
    other = World.on(impatient)
    body, headers = cast.body(), {**cast.as_mentee, "Idempotency-Key": str(uuid4())}
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(SLOW_COMMIT)
        try:
            first = other.client.post("/bookings", json=body, headers=headers)
            assert (first.status_code, first.json["code"]) == (503, "unavailable")
            assert first.headers["Retry-After"] == "1"
        finally:
            db.execute(QUICK_COMMIT)

    def ask_again() -> ApiResponse | None:
        answer = world.client.post("/bookings", json=body, headers=headers)
        return None if answer.status_code == 409 else answer

    again = eventually(ask_again, "the end of the commit")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    impatient.dispose()
