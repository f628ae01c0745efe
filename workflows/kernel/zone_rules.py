"""The rules of time zones: the version of tzdata that counts, and where PostgreSQL's rules are others.

No statement computes a local time by the rules of PostgreSQL, which come from its server or its server's machine. An
operator's own queries may, and then have other times than people see.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]
from sqlalchemy import Connection

from models.base import sql

VERSION = tzdata.IANA_VERSION
COMPARED_YEARS = 10
WEEK, SECOND = timedelta(days=7), timedelta(seconds=1)
_USED = sql("""
SELECT time_zone FROM users UNION SELECT time_zone FROM mentor_profiles UNION SELECT time_zone FROM weekly_hours
UNION SELECT time_zone FROM date_hours UNION SELECT time_zone FROM group_session_templates
""")
# A zone that PostgreSQL does not know is an error to AT TIME ZONE, and some names are abbreviations to it.
_DIFFERING = sql("""
SELECT ours.name
FROM unnest(CAST(:names AS text[]), CAST(:moments AS timestamptz[]), CAST(:offsets AS interval[]))
     AS ours (name, moment, utcoffset)
LEFT JOIN pg_timezone_names AS theirs ON theirs.name = ours.name
WHERE CASE WHEN theirs.name IS NULL THEN true
      ELSE (moment AT TIME ZONE ours.name) - (moment AT TIME ZONE 'UTC') <> ours.utcoffset END
EXCEPT SELECT abbrev FROM pg_timezone_abbrevs
ORDER BY 1
""")


def used_zones(db: Connection) -> list[ZoneInfo]:
    """The zones that people, hours and groups have."""
    return [ZoneInfo(name) for name in sorted(db.scalars(_USED))]


def differing_zones(db: Connection, zones: Iterable[ZoneInfo], since: datetime) -> list[str]:
    """The names of the zones in which PostgreSQL's clocks show another time within ten years, and of those it lacks.

    Args:
        since: in UTC. The offsets of each week are compared, and those before and after each change.
    """
    compared = [(there.key, *each) for there in zones for each in _offsets(there, since)]
    columns = zip(*compared, strict=True) if compared else ((), (), ())
    values = dict(zip(("names", "moments", "offsets"), map(list, columns), strict=True))
    return list(db.scalars(_DIFFERING, values))


def _offsets(there: ZoneInfo, since: datetime) -> Iterator[tuple[datetime, timedelta]]:
    before = since
    for week in range(COMPARED_YEARS * 366 // 7 + 1):
        moment = since + week * WEEK
        if (offset := _offset(there, moment)) != _offset(there, before):
            change = _change(there, before, moment)
            yield from ((each, _offset(there, each)) for each in (change - SECOND, change))
        yield moment, offset
        before = moment


def _change(there: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with the offset from UTC that the clocks have after."""
    seconds, offset = range((after - before) // SECOND), _offset(there, after)
    passed = bisect_left(seconds, True, key=lambda each: _offset(there, before + each * SECOND) == offset)
    return before + passed * SECOND


def _offset(there: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(there).utcoffset() or timedelta()
