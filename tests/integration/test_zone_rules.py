"""Tests of the rules of time zones: one source in every process, whatever rules PostgreSQL and the machine have."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest
import tzdata  # type: ignore[import-untyped]
from sqlalchemy import ARRAY, Connection, column, func, literal, select

from models.base import Timestamp
from tests import factories
from workflows.analytics.scope import Period, period_of
from workflows.kernel.clock import zone_names
from workflows.kernel.zone_rules import COMPARED_YEARS, VERSION, differing_zones, used_zones

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PACKAGED = Path(tzdata.__file__).parent / "zoneinfo"
YEARS = [datetime(BEGIN.year + number, 1, 1, tzinfo=UTC) for number in range(COMPARED_YEARS + 1)]
# British Columbia stays on summer time since November 2026, which rules of 2025 do not know.
ASKED = """
import {module}
from datetime import UTC, datetime
from zoneinfo import TZPATH, ZoneInfo
print(TZPATH, datetime(2027, 1, 1, tzinfo=UTC).astimezone(ZoneInfo("America/Vancouver")).utcoffset())
"""


@pytest.mark.parametrize("module", ["api.http.server", "cli.seed", "workers.calendar_expansion", "workers.worker"])
def test_every_process_reads_the_rules_of_the_package(module: str) -> None:
    asked = [sys.executable, "-c", ASKED.format(module=module)]
    answer = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "() -1 day, 17:00:00"


def test_every_zone_is_of_the_package() -> None:
    assert TZPATH == ()
    assert VERSION == tzdata.IANA_VERSION
    moments = [BEGIN + timedelta(days=days) for days in range(0, COMPARED_YEARS * 366, 5)]
    for name in zone_names():
        with (PACKAGED / name).open("rb") as file:
            packaged = ZoneInfo.from_file(file)
        there = ZoneInfo(name)
        assert all(each.astimezone(there).utcoffset() == each.astimezone(packaged).utcoffset() for each in moments)


def test_local_times_in_sql_are_those_of_the_package(db: Connection) -> None:
    """In every zone, over ten years: on each Wednesday, and before and after each change of the clocks."""
    compared = set()
    for name in sorted(zone_names()):
        for begin, end in pairwise(YEARS):
            period = period_of(begin, end, name, now=end)
            alike = (begin, tuple(period.offsets()))
            if alike not in compared:
                compared.add(alike)
                assert_local_times(db, period)


def assert_local_times(db: Connection, period: Period) -> None:
    moments = [period.start + timedelta(days=days) for days in range(0, 364, 7)]
    for change, _offset in period.offsets()[1:]:
        moments += [change - timedelta(seconds=1), change]
    unnested = func.unnest(literal(moments, ARRAY(Timestamp))).table_valued(column("moment", Timestamp), name="given")
    given = unnested.render_derived()
    shown = dict(db.execute(select(given.c.moment, period.local_time(given.c.moment))).all())
    assert shown == {each: each.astimezone(period.zone).replace(tzinfo=None) for each in moments}


def test_a_zone_that_postgresql_lacks_is_found(db: Connection) -> None:
    factories.make_user(db, time_zone="Europe/Berlin")
    assert BERLIN in used_zones(db)
    assert differing_zones(db, [BERLIN], BEGIN) == []
    db.exec_driver_sql("CREATE TEMPORARY VIEW pg_timezone_names AS SELECT 'UTC' AS name")
    db.exec_driver_sql("SET LOCAL search_path = pg_temp, pg_catalog, public")
    assert differing_zones(db, [BERLIN, ZoneInfo("UTC")], BEGIN) == ["Europe/Berlin"]


def test_other_rules_are_found(db: Connection) -> None:
    # The same offset in winter and in summer, and other days on which the clocks change.
    with (PACKAGED / "Africa" / "Cairo").open("rb") as file:
        other = ZoneInfo.from_file(file, key="Europe/Athens")
    assert differing_zones(db, [other, BERLIN], BEGIN) == ["Europe/Athens"]
