"""A mentor says hours in several windows at once: one after another, and of those who decided on the same, one."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.availability import availability_rules, weekly_hours
from tests import factories
from tests.concurrency.racing import Race, codes, winners
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.identity.people import Mentor

CALLERS, ROUNDS = 8, 10


def say(db: Connection, mentor: Mentor, seen: WeeklyHours, closes: int, *, any_version: bool) -> WeeklyHours:
    """Say hours that nobody else says."""
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


def test_of_those_who_decided_on_the_same_hours_one_wins(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
    for number in range(ROUNDS):
        with engine.begin() as db:
            seen = present(db, mentor)
        minutes = [1 + CALLERS * number + caller for caller in range(CALLERS)]
        outcomes = race.transact([partial(say, mentor=mentor, seen=seen, closes=n, any_version=False) for n in minutes])
        assert codes(outcomes) == ["stale"] * (CALLERS - 1)
        with engine.begin() as db:
            assert [present(db, mentor)] == winners(outcomes)


def test_without_a_version_all_are_said_one_after_another(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        seen = present(db, mentor)
    calls = [partial(say, mentor=mentor, seen=seen, closes=1 + n, any_version=True) for n in range(CALLERS)]
    outcomes = winners(race.transact(calls))
    assert sorted(hours.version for hours in outcomes) == list(range(1, CALLERS + 1))
    with engine.begin() as db:
        assert present(db, mentor) == max(outcomes, key=lambda hours: hours.version)
        ended = db.execute(select(weekly_hours).where(weekly_hours.c.until.is_not(None))).all()
        assert len(ended) == CALLERS - 1
        assert db.scalar(select(func.count()).select_from(availability_rules)) == 2 * CALLERS
