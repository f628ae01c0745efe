"""Two maintains at once: each round is begun once, and when one has ended, the other goes on."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, Engine, text

from config.settings import settings
from tests.concurrency.racing import ROUNDS, Race
from tests.eventually import eventually
from workers import maintain
from workers.maintain import take_round

BEGUN = text("SELECT moment FROM maintenance_cursors WHERE name = 'round of maintain'")
A_ROUND_AGO = text("UPDATE maintenance_cursors SET moment = now() - CAST(:round AS interval)")
AN_INTERVAL_SECONDS = 0.2
A_ROUND = timedelta(seconds=0.15)
OF_EACH = 3


def test_of_many_at_once_one_begins_a_round(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        assert sorted(race.transact([take_round] * 10)) == [False] * 9 + [True]
        assert race.transact([take_round]) == [False]
        with engine.begin() as db:
            db.execute(A_ROUND_AGO, {"round": maintain.ROUND})


@pytest.fixture
def rounds(engine: Engine, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The moments of the rounds of every maintain of this process; its chores are left out."""
    found: list[object] = []

    def noted(db: Connection) -> bool:
        is_begun = take_round(db)
        if is_begun:
            # In its own transaction: nobody begins another round before the commit.
            found.append(db.scalar(BEGUN))
        return is_begun

    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr(maintain, "INTERVAL_SECONDS", AN_INTERVAL_SECONDS)
    monkeypatch.setattr(maintain, "STANDBY_SECONDS", AN_INTERVAL_SECONDS / 4)
    monkeypatch.setattr(maintain, "ROUND", A_ROUND)
    monkeypatch.setattr(maintain, "take_round", noted)
    monkeypatch.setattr(maintain, "CHORES", {})
    settings.cache_clear()
    yield found
    settings.cache_clear()


def test_rounds_are_not_doubled_and_go_on_when_one_process_ends(rounds: list[object]) -> None:
    stops = [Event() for _ in range(3)]
    threads = [Thread(target=maintain.run_forever, args=(stop,)) for stop in stops]
    for thread in threads:
        thread.start()
    try:
        for ended, thread in zip(stops, threads, strict=True):
            made = len(rounds)
            eventually(lambda made=made: len(rounds) >= made + OF_EACH, "further rounds")  # type: ignore[misc]
            ended.set()
            thread.join()
    finally:
        for stop in stops:
            stop.set()
    assert all(later - earlier >= A_ROUND for earlier, later in pairwise(rounds))  # type: ignore[operator]
