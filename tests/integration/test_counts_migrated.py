"""Tests of the migration that splits counts by course and quarter of an hour: nothing is lost on the way, or back."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, text
from uuid_utils.compat import uuid7

from cli.migrate import MIGRATIONS, revert, upgrade
from models.catalog import courses
from models.engine import create
from tests import factories
from tests.integration.happenings import Life, at
from tests.integration.house import House, without_guards
from workflows.analytics.recount import differences

BEFORE = "0007"
# What counted before.
OLD_EFFECTS = ("analytics.session_created", "analytics.session_started", "analytics.session_completed")
DAYS = "SELECT day::text, sum(created), sum(started), sum(completed), sum(minutes) FROM daily_session_stats GROUP BY 1"


def steps_back() -> int:
    """How many revisions there are since the one before."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return len(list(ScriptDirectory.from_config(config).iterate_revisions("head", BEFORE)))


def days(engine: Engine) -> dict[str, tuple[int, ...]]:
    with engine.connect() as db:
        return {row[0]: tuple(row[1:]) for row in db.execute(text(DAYS)) if any(row[1:])}


def live(house: House) -> None:
    with house.transactions() as db:
        mentor, course = factories.make_mentor(db), uuid7()
        db.execute(insert(courses).values(id=course, title="Compilers"))
        for of in (course, None, None):
            life = Life(db, mentor.id, course_id=of, start_time=at("2026-05-05T10:00Z"))
            life.booking("requested", at("2026-05-04T23:50Z"))
            life.booking("accepted", at("2026-05-05T01:20Z"))
            life.session("created", at("2026-05-05T01:20:01Z"))
            life.session("started", at("2026-05-05T09:59Z"))
            life.session("completed", at("2026-05-06T11:00Z"))
        instant = Life(db, mentor.id)
        instant.booking("accepted", at("2026-05-04T10:00Z"))
        instant.session("created", at("2026-05-04T10:00:03Z"))
        Life(db, mentor.id, mentee_user_id=None).session("created", at("2026-05-07T10:00Z"))
    house.run_all("analytics")


def test_what_was_counted_by_day_is_counted_by_course_and_quarter(database_url: str) -> None:
    engine = create(database_url)
    live(House(engine))
    counted = days(engine)
    assert counted["2026-05-06"] == (0, 0, 3, 180)
    engine.dispose()
    revert(database_url, steps_back())
    assert days(engine) == counted
    with engine.begin() as db, without_guards(db):
        assert db.scalar(text("SELECT count(*) FROM daily_session_stats WHERE day = '2026-05-06'")) == 1
        others = text("DELETE FROM deliveries WHERE queue = 'analytics' AND effect <> ALL(:old)")
        db.execute(others, {"old": list(OLD_EFFECTS)})
    engine.dispose()
    upgrade(database_url)
    assert days(engine) == counted
    with engine.begin() as db:
        assert differences(db) == []
        sums = (
            "SELECT sum(requests_with_session), sum(requests_completed), sum(created) FROM quarter_hour_session_stats"
        )
        assert tuple(db.execute(text(sums)).one()) == (4, 3, 5)
        assert db.scalar(text("SELECT sum(count) FROM daily_transition_times")) == 4 + 3 + 3
    engine.dispose()
