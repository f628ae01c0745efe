"""Questions that reports answer: about which time, on whose clocks, and whose numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflows.analytics.period import Edge, Period, period
from workflows.analytics.whose import Whose, whose
from workflows.identity.actor import Actor

_OF_QUESTIONS = ("from_", "to", "time_zone", "mentor_profile_id", "course_id")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What somebody asks of a report, who may ask it.

    Args:
        first: a day or a moment; None where none was named.
        last: the same.
        time_zone: an IANA name; None where none was named.
        now: when it is asked.
    """

    first: Edge | None
    last: Edge | None
    time_zone: str | None
    now: datetime
    whose: Whose

    @property
    def period(self) -> Period:
        """The time that is meant, on the clocks of the zone that was named, or of UTC."""
        return self.period_in("UTC")

    def period_in(self, zone: str) -> Period:
        """The same, on the clocks of another zone than UTC where none was named."""
        return period(self.first, self.last, self.time_zone or zone, now=self.now)


def question_of(actor: Actor, filters: Mapping[str, Any], now: datetime) -> tuple[Question, dict[str, Any]]:
    """The question in a query, and what else the query says.

    Raises:
        Invalid: no such period.
        Forbidden: the numbers are not theirs; last, since a query is read before anybody looks at what it names.
    """
    own = {name: filters.get(name) for name in ("mentor_profile_id", "course_id")}
    first, last, time_zone = (filters.get(name) for name in ("from_", "to", "time_zone"))
    period(first, last, time_zone or "UTC", now=now)
    question = Question(first=first, last=last, time_zone=time_zone, now=now, whose=whose(actor, **own))
    return question, {name: value for name, value in filters.items() if name not in _OF_QUESTIONS}
