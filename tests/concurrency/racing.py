"""Let several calls race: each on a connection and in a thread of its own, released together."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, text

from tests.eventually import eventually
from tests.servers import PREPARES
from workflows.kernel.errors import DomainError

BARRIER_SECONDS = 20
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
# Of each race; RACE_ROUNDS=100 plays the long form.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "8"))


class Race:
    """A starting line for callers in threads of their own, which stay for all rounds.

    Args:
        engine: hands out a connection to each of them.
        size: how many race at most.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(size)

    def run(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """What each call returned, or the refusal that it met; any other error is the test's."""
        barrier = Barrier(len(calls))

        def call_at_once(call: Callable[[], Any]) -> Any:
            barrier.wait(BARRIER_SECONDS)
            return _outcome(call)

        return [future.result() for future in [self._threads.submit(call_at_once, call) for call in calls]]

    def transact(self, calls: Sequence[Callable[[Connection], Any]]) -> list[Any]:
        """As `run`, with each call in a transaction of its own, begun before the start and committed after."""
        barrier = Barrier(len(calls))

        def call_at_once(call: Callable[[Connection], Any]) -> Any:
            def transaction() -> Any:
                with self._engine.begin() as db:
                    db.execute(text("SELECT 1"))
                    barrier.wait(BARRIER_SECONDS)
                    return call(db)

            return _outcome(transaction)

        return [future.result() for future in [self._threads.submit(call_at_once, call) for call in calls]]

    def close(self) -> None:
        self._threads.shutdown()


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except DomainError as refusal:
        return refusal


def meanwhile(
    engine: Engine,
    first: Callable[[Connection], Any],
    second: Callable[[Connection], Any],
    then: Callable[[Connection], Any] | None = None,
) -> Any:
    """The result of the second call, which begins when the first one has written and not yet committed.

    Args:
        then: goes on in the first one's transaction while the second call waits.
    """

    def run() -> Any:
        with engine.begin() as db:
            return second(db)

    watching = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as thread, watching as onlooker:
        with engine.begin() as db:
            first(db)
            running = thread.submit(run)
            eventually(lambda: running.done() or onlooker.scalar(WAITING), "the second call waits or has ended")
            if then is not None:
                then(db)
        return running.result()


def codes(outcomes: Sequence[Any]) -> list[str]:
    return [outcome.code for outcome in outcomes if isinstance(outcome, DomainError)]


def winners(outcomes: Sequence[Any]) -> list[Any]:
    return [outcome for outcome in outcomes if not isinstance(outcome, DomainError)]


def _idle_connections(engine: Engine) -> int:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedin()


def deadlocks(engine: Engine) -> int:
    """How many deadlocks PostgreSQL has broken up in this database; what else is connected must be about to end."""
    with ExitStack() as stack:
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        every = [stack.enter_context(autocommit.connect()) for _ in range(max(1, _idle_connections(engine)))]
        pids = [db.scalar(text("SELECT pg_backend_pid() FROM pg_stat_force_next_flush()")) for db in every]
        others = text(
            "SELECT count(*) = 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> ALL(:pids) AND application_name <> :prepares"
        )
        # An open connection holds counts back for a while unless it is asked for them; a closed one has flushed them.
        known = {"pids": pids, "prepares": PREPARES}
        eventually(lambda: every[0].scalar(others, known), "the end of all other connections")
        return int(every[0].scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")))
