"""Two schedules of one template at once make each date once; schedules that overlap share the mentor's time."""

from datetime import date, time, timedelta
from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.groups import group_sessions
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes
from workflows.accounts.records import Mentor
from workflows.groups.schedule import Schedule, schedule
from workflows.groups.templates import GroupTemplate, create_template
from workflows.invariants import check_all

SCHEDULERS = 8
WEEKS = 6
FIRST: date = factories.this_hour().date() + timedelta(days=1)


def weekly(db: Connection, mentor: Mentor, weekday: int, start: time) -> GroupTemplate:
    columns = {
        "title": "Exercises",
        "weekday": weekday,
        "start_time": start,
        "time_zone": "Europe/Berlin",
        "duration_minutes": 60,
        "capacity": 3,
        "price_amount": 0,
        "price_currency": "EUR",
    }
    return create_template(db, actor=factories.acting_mentor(mentor), columns=columns)


def scheduled(db: Connection, template: GroupTemplate) -> Schedule:
    last = FIRST + timedelta(days=7 * WEEKS - 1)
    now = factories.this_hour()
    return schedule(db, actor=factories.OPERATOR, template=template, first=FIRST, last=last, now=now)


def test_schedules_at_once_make_each_date_once(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        with engine.begin() as db:
            template = weekly(db, factories.make_mentor(db), number % 7, time(9))
        outcomes = race.transact([partial(scheduled, template=template)] * SCHEDULERS)
        assert codes(outcomes) == []
        assert sum(len(outcome.made) for outcome in outcomes) == WEEKS
        assert all(len(outcome.made) + len(outcome.skipped) == WEEKS for outcome in outcomes)
        assert not any(outcome.conflicts for outcome in outcomes)
    with engine.begin() as db:
        assert db.scalar(select(func.count()).select_from(group_sessions)) == ROUNDS * WEEKS
        assert not [finding for finding in check_all(db) if finding.violations]


def test_of_overlapping_templates_each_date_is_one_s(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        with engine.begin() as db:
            mentor = factories.make_mentor(db)
            templates = [weekly(db, mentor, number % 7, time(9, 10 * late)) for late in range(4)]
        outcomes = race.transact([partial(scheduled, template=template) for template in templates])
        made = [occurrence.date for outcome in outcomes for occurrence in outcome.made]
        assert len(made) == len(set(made)) == WEEKS
        conflicts = [conflict for outcome in outcomes for conflict in outcome.conflicts]
        assert {conflict.code for conflict in conflicts} == {"slot_taken"}
        bookings = {occurrence.booking_id for outcome in outcomes for occurrence in outcome.made}
        assert {conflict.in_the_way for conflict in conflicts} == bookings
