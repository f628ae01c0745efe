"""One event to a hundred partners, of whom forty behave badly: the others receive it in time, and nothing is lost."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from standardwebhooks import Webhook

from tests.eventually import eventually
from tests.faults.partners import Partner, running_partners, subscribed
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants

PARTNERS_BY_BEHAVIOUR = {"hang": 10, "drip": 10, "fail": 10, "redirect": 5, "flood": 5, "well": 60}
DEADLINE_SECONDS = 15.0

DELIVERIES = """
SELECT target, state, attempts, last_error FROM deliveries WHERE effect = 'webhooks.send' AND target = ANY(%s)
"""
# The attempt that succeeded is in the delivery's own row.
ATTEMPTS = """
SELECT target, outcome, status_code, error, duration_ms, length(response) AS kept FROM (
    SELECT effect, target, attempt, outcome, status_code, error, duration_ms, response FROM delivery_attempts
    UNION ALL
    SELECT effect, target, attempts, 'done', status_code, NULL, duration_ms, response
    FROM deliveries WHERE duration_ms IS NOT NULL
) AS every WHERE effect = 'webhooks.send' AND target = ANY(%s) ORDER BY target, attempt
"""
TIME_UP = "No complete answer within 15 s."
FAILED, ELSEWHERE = "The receiver answered 500.", "The receiver answered 302; redirects are not followed."
# What each attempt came to; how the last one ended is how the delivery stands in the end.
Fate = tuple[tuple[str, int | None, str | None], ...]
FATES: dict[str, Fate] = {
    "well": (("done", 200, None),),
    # Of a long answer the beginning is read, and that is enough.
    "flood": (("done", 200, None),),
    "fail": (("retry", 500, FAILED), ("retry", 500, FAILED), ("dead", 500, FAILED)),
    "redirect": (("retry", 302, ELSEWHERE), ("retry", 302, ELSEWHERE), ("dead", 302, ELSEWHERE)),
    # These two hang no more afterwards: one takes what it is sent, the other does not.
    "hang": (("retry", None, TIME_UP), ("done", 200, None)),
    "drip": (("retry", None, TIME_UP), ("retry", 500, FAILED), ("dead", 500, FAILED)),
}


@pytest.fixture
def partners(sut: SystemUnderTest, cast: Participants) -> Iterator[list[Partner]]:  # noqa: ARG001 - registers before them
    with running_partners(**PARTNERS_BY_BEHAVIOUR) as partners, subscribed(sut, partners, "booking.requested"):
        yield partners


def test_sixty_good_endpoints_of_a_hundred_are_served_in_time(
    sut: SystemUnderTest, cast: Participants, partners: list[Partner], figures: Figures
) -> None:
    well = [partner for partner in partners if partner.behaviour == "well"]
    booking = cast.request()
    happened = time.monotonic()
    eventually(lambda: all(each.arrivals for each in well), "the sixty messages", seconds=DEADLINE_SECONDS)
    figures("seconds to the last of the sixty", max(each.arrivals[0].at for each in well) - happened)
    for partner in well:
        (arrival,) = partner.arrivals
        message: Any = Webhook(partner.secret).verify(arrival.body, arrival.headers)
        assert (message["type"], message["data"]["bookingId"]) == ("booking.requested", booking)
        assert arrival.headers["webhook-id"] == message["id"]
    assert len({partner.arrivals[0].headers["webhook-id"] for partner in well}) == 1

    with sut.db() as db:
        eventually(
            lambda: all(row.state != "pending" for row in rows(db, DELIVERIES, partners)),
            "the end of every delivery",
            seconds=60,
        )
        figures("seconds to the last end", time.monotonic() - happened)
        ended = rows(db, DELIVERIES, partners)
        attempts = rows(db, ATTEMPTS, partners)
    behaviours = {str(partner.id): partner.behaviour for partner in partners}
    assert Counter(behaviours[row.target] for row in ended) == PARTNERS_BY_BEHAVIOUR
    for row in ended:
        fate = FATES[behaviours[row.target]]
        state, _status, error = fate[-1]
        assert (row.state, row.attempts, row.last_error) == (state, len(fate), error), behaviours[row.target]
        of_this = [each for each in attempts if each.target == row.target]
        assert tuple((each.outcome, each.status_code, each.error) for each in of_this) == fate, behaviours[row.target]
    for each in attempts:
        assert each.kept is None or each.kept <= 4096
        assert each.duration_ms < timedelta(seconds=2 * DEADLINE_SECONDS) / timedelta(milliseconds=1)


def rows(db: psycopg.Connection, query: str, partners: list[Partner]) -> list[Any]:
    with db.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(query, [[str(partner.id) for partner in partners]]).fetchall()
