"""Under load, accepts for overlapping times of the same mentors wait for one another and never deadlock."""

from __future__ import annotations

from sqlalchemy import Engine

from bench.accept_race import race
from workflows.invariants import check_all

SECONDS = 3
DRAFTS = 20_000


def test_sixteen_clients_on_four_mentors_never_deadlock(database_url: str, engine: Engine) -> None:
    result = race(database_url, seconds=SECONDS, drafts=DRAFTS)
    assert result.deadlocks == 0
    # There was a race: some got the time, others wanted it as well.
    assert result.accepted > 100
    assert result.refused > 100
    with engine.begin() as db:
        assert not [finding for finding in check_all(db) if finding.violations]


def test_without_the_mentors_lock_they_would(database_url: str) -> None:
    result = race(database_url, seconds=1, drafts=DRAFTS, lock=False)
    assert result.deadlocks > 0
