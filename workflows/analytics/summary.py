"""What operators look at first: sessions by status and by mentor, and how many accepted bookings became sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, literal_column, select

BUSIEST = 100

# Three questions in one statement, so that their answers are of the same moment.
_STATUSES = """
(SELECT coalesce(json_object_agg(status, sessions), '{}')
 FROM (SELECT status, count(*) AS sessions FROM sessions GROUP BY status) AS counted)
"""
_BUSIEST = f"""
(SELECT coalesce(json_agg(json_build_object('mentor_profile_id', m.id, 'mentor_name', u.name, 'sessions', c.sessions)
                          ORDER BY c.sessions DESC, m.id), '[]')
 FROM (SELECT mentor_profile_id, count(*) AS sessions FROM sessions GROUP BY mentor_profile_id
       ORDER BY 2 DESC, 1 LIMIT {BUSIEST}) AS c
 JOIN mentor_profiles m ON m.id = c.mentor_profile_id
 JOIN users u ON u.id = m.user_id)
"""
_ACCEPTED = "(SELECT count(*) FROM bookings WHERE status = 'accepted')"


@dataclass(frozen=True)
class Summary:
    """How things stand.

    Args:
        statuses: how many sessions have each status that any has.
        busiest: the mentors with the most sessions, at most a hundred of them, each by id and name.
        accepted_bookings: how many there are; each of them has a session, or gets it in a moment.
    """

    statuses: dict[str, int]
    busiest: list[dict[str, Any]]
    accepted_bookings: int

    @property
    def sessions(self) -> int:
        """All of them."""
        return sum(self.statuses.values())

    @property
    def rate(self) -> float | None:
        """Sessions per accepted booking: 1 but for those that are about to be made; None without any."""
        return round(self.sessions / self.accepted_bookings, 4) if self.accepted_bookings else None


def summary_query() -> Select[Any]:
    """The one row of the summary."""
    parts = {"statuses": _STATUSES, "busiest": _BUSIEST, "accepted_bookings": _ACCEPTED}
    columns: list[ColumnElement[Any]] = [literal_column(question).label(name) for name, question in parts.items()]
    return select(*columns)


def summary_of(row: Row[Any]) -> Summary:
    """What the row of `summary_query` says."""
    return Summary(row.statuses, row.busiest, row.accepted_bookings)
