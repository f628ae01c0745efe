"""Tests of `tutelage analytics rebuild`: what it finds, what it sets right, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from cli.main import main
from config.settings import settings
from models.analytics import daily_session_stats, daily_transition_times, quarter_hour_session_stats
from tests import factories
from tests.integration.happenings import Life, at
from tests.integration.house import House

TABLES = (daily_session_stats, quarter_hour_session_stats, daily_transition_times)


@pytest.fixture
def house(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A database of the command's own, in which a long gone life has been counted, and a later one."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "250")
    settings.cache_clear()
    house = House(engine)
    with house.transactions() as db:
        mentor = factories.make_mentor(db)
        for year in (2021, 2026):
            _live(Life(db, mentor.id, start_time=at(f"{year}-05-06T10:00Z")), year)
    house.run_all("analytics")
    yield house
    settings.cache_clear()


def _live(life: Life, year: int) -> None:
    life.booking("requested", at(f"{year}-05-04T23:50Z"))
    life.booking("accepted", at(f"{year}-05-05T01:20Z"))
    life.session("created", at(f"{year}-05-05T01:20:01Z"))
    life.session("started", at(f"{year}-05-06T10:00Z"))
    life.session("completed", at(f"{year}-05-06T11:00Z"))


def rebuild(*options: str) -> Result:
    return CliRunner().invoke(main, ["analytics", "rebuild", *options])


def everything(engine: Engine) -> list[list[tuple[object, ...]]]:
    """All that is counted, without what the database adds to a row."""
    added = ("id", "created_at", "updated_at", "version")
    with engine.connect() as db:
        return [
            sorted(map(str, db.execute(select(*(column for column in table.columns if column.name not in added)))))
            for table in TABLES
        ]  # type: ignore[misc]


def test_what_the_workers_counted_is_what_a_recount_finds(house: House) -> None:
    result = rebuild()
    assert (result.exit_code, result.output) == (0, "No count differs from its events.\n")
    assert all(everything(house.engine))


SPOILED: dict[str, tuple[Callable[[Connection], object], str]] = {
    "one more": (lambda db: db.execute(update(daily_session_stats).values(created=7)), "created=7"),
    "one less": (
        lambda db: db.execute(update(quarter_hour_session_stats).values(requests_completed=0)),
        "requests_completed=1",
    ),
    "a row that is gone": (lambda db: db.execute(delete(daily_transition_times)), "nothing"),
    "everything gone": (lambda db: [db.execute(delete(table)) for table in TABLES], "daily_session_stats"),
    "a row of nothing": (
        lambda db: db.execute(
            insert(daily_session_stats).from_select(
                ["day", "mentor_profile_id", "minutes"],
                select(text("'2020-01-01'::date"), daily_session_stats.c.mentor_profile_id, text("5")).limit(1),
            )
        ),
        "day=2020-01-01",
    ),
    "another time": (
        lambda db: db.execute(
            update(daily_transition_times).values(milliseconds=daily_transition_times.c.milliseconds + 1)
        ),
        "daily_transition_times",
    ),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_differs_is_shown_and_written_only_when_asked(house: House, spoiled: str) -> None:
    right = everything(house.engine)
    spoil, shown = SPOILED[spoiled]
    with house.engine.begin() as db:
        spoil(db)
    wrong = everything(house.engine)
    assert wrong != right
    found = rebuild()
    assert found.exit_code == 1
    assert shown in found.output
    assert "Rows that are not what the events add up to: " in found.output
    assert everything(house.engine) == wrong
    written = rebuild("--write")
    assert written.exit_code == 0, written.output
    assert "are set right now" in written.output
    assert everything(house.engine) == right
    assert rebuild().exit_code == 0


def test_what_waits_to_be_counted_is_told_and_left_to_the_workers(house: House) -> None:
    right = everything(house.engine)
    with house.transactions() as db:
        mentor_id = db.scalars(select(daily_session_stats.c.mentor_profile_id).limit(1)).one()
        Life(db, mentor_id).session("created", at("2026-05-04T10:00Z"))
    for options in ((), ("--write",)):
        result = rebuild(*options)
        assert (result.exit_code, everything(house.engine)) == (0, right)
        assert "Waiting to be counted by the workers: 1." in result.output
    house.run_all("analytics")
    assert everything(house.engine) != right
    assert rebuild().output == "No count differs from its events.\n"


def test_what_was_given_up_or_never_owed_is_told(house: House) -> None:
    with house.engine.begin() as db:
        db.exec_driver_sql("SET LOCAL session_replication_role = replica")
        counting = "effect = 'analytics.session_created'"
        db.exec_driver_sql(f"UPDATE deliveries SET state = 'dead', done_at = NULL WHERE {counting}")
        db.exec_driver_sql("DELETE FROM deliveries WHERE effect = 'analytics.booking_requested'")
    found = rebuild("--write")
    assert found.exit_code == 0
    assert "deliveries are dead or cancelled: 2." in found.output
    assert "backfill --since`): 2." in found.output
    with house.engine.connect() as db:
        assert db.scalar(select(func.sum(daily_session_stats.c.created))) == 0
    backfilled = CliRunner().invoke(main, ["effects", "backfill", "--since", "2020-01-01"])
    assert backfilled.exit_code == 0, backfilled.output
    house.run_all("analytics")
    with house.engine.connect() as db:
        assert db.scalar(select(func.sum(daily_session_stats.c.requests))) == 2
