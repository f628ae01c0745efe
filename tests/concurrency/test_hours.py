"""Concurrent changes of a mentor's hours: of those to one version, one wins."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.availability import availability_rules, weekly_hours
from tests import factories
from tests.concurrency.racing import Race, codes, winners
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.identity.people import Mentor

CALLERS, ROUNDS = 8, 10


def change(db: Connection, mentor: Mentor, seen: WeeklyHours, closes: int, *, any_version: bool) -> WeeklyHours:
    """Set hours that end at a time of their own."""
    return set_hours(
        db,
        actor=factories.acting_mentor(mentor),
        seen=seen,
        spans=[Span(0, 0, closes), Span(1, 0, closes)],
        time_zone=None,
        now=factories.this_hour(),
        any_version=any_version,
    )


def present(db: Connection, mentor: Mentor) -> WeeklyHours:
    """The hours that hold."""
    return WeeklyHours.of(db.execute(weekly_hours_query(mentor.id)).one())


def test_of_changes_to_the_same_version_one_wins(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
    for number in range(ROUNDS):
        with engine.begin() as db:
            seen = present(db, mentor)
        minutes = [1 + CALLERS * number + caller for caller in range(CALLERS)]
        outcomes = race.transact(
            [partial(change, mentor=mentor, seen=seen, closes=n, any_version=False) for n in minutes]
        )
        assert codes(outcomes) == ["stale"] * (CALLERS - 1)
        with engine.begin() as db:
            assert [present(db, mentor)] == winners(outcomes)


def test_without_a_version_all_changes_are_made_in_turn(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        seen = present(db, mentor)
    calls = [partial(change, mentor=mentor, seen=seen, closes=1 + n, any_version=True) for n in range(CALLERS)]
    outcomes = winners(race.transact(calls))
    assert sorted(hours.version for hours in outcomes) == list(range(1, CALLERS + 1))
    with engine.begin() as db:
        assert present(db, mentor) == max(outcomes, key=lambda hours: hours.version)
        ended = db.execute(select(weekly_hours).where(weekly_hours.c.until.is_not(None))).all()
        assert len(ended) == CALLERS - 1
        assert db.scalar(select(func.count()).select_from(availability_rules)) == 2 * CALLERS
