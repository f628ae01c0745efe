"""One event to a hundred partners, of whom forty behave badly: the others hear of it in time, and nothing is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from standardwebhooks import Webhook

from tests.cast import Cast
from tests.eventually import eventually, stretched
from tests.faults.crowd import Partner, crowd, subscribed
from tests.faults.sufferer import Figures, Sufferer

CROWD = {"hang": 10, "drip": 10, "fail": 10, "redirect": 5, "flood": 5, "well": 60}
PROMISED_SECONDS = 10.0
DEADLINE_SECONDS = 15.0
SLACK_SECONDS = 5.0

DELIVERIES = """
SELECT d.target, d.state, d.attempts, d.last_error, d.due_at > now() AS waits, a.outcome, a.status_code, a.error,
       a.duration_ms, length(a.response) AS kept
FROM deliveries d LEFT JOIN delivery_attempts a ON (a.event_id, a.effect, a.target) = (d.event_id, d.effect, d.target)
     AND a.attempt = 1
WHERE d.effect = 'webhooks.send' AND d.target = ANY(%s)
"""
TIME_UP = "No complete answer within 15 s."
# What the first attempt came to, and how the delivery stands after it.
FATES: dict[str, tuple[str, str, int | None, str | None]] = {
    "well": ("done", "done", 200, None),
    # Of a long answer the beginning is read, and that is enough.
    "flood": ("done", "done", 200, None),
    "fail": ("pending", "retry", 500, "The receiver answered 500."),
    "redirect": ("pending", "retry", 302, "The receiver answered 302; redirects are not followed."),
    "hang": ("pending", "retry", None, TIME_UP),
    "drip": ("pending", "retry", None, TIME_UP),
}


@pytest.fixture
def partners(sufferer: Sufferer, cast: Cast) -> Iterator[list[Partner]]:  # noqa: ARG001 - registers before them
    """The crowd, each an endpoint."""
    with crowd(**CROWD) as partners, subscribed(sufferer, partners, "booking.requested"):
        yield partners


def test_sixty_of_a_hundred_hear_of_it_in_time_and_each_delivery_ends_in_its_right_state(
    sufferer: Sufferer, cast: Cast, partners: list[Partner], figures: Figures
) -> None:
    well = [partner for partner in partners if partner.behaviour == "well"]
    booking = cast.request()
    happened = time.monotonic()
    eventually(lambda: all(each.arrivals for each in well), "the sixty messages", seconds=stretched(PROMISED_SECONDS))
    figures("seconds to the last of the sixty", max(each.arrivals[0].at for each in well) - happened)
    for partner in well:
        (arrival,) = partner.arrivals
        message: Any = Webhook(partner.secret).verify(arrival.body, arrival.headers)
        assert (message["type"], message["data"]["bookingId"]) == ("booking.requested", booking)
        assert arrival.headers["webhook-id"] == message["id"]
    assert len({partner.arrivals[0].headers["webhook-id"] for partner in well}) == 1

    until = happened + stretched(DEADLINE_SECONDS + SLACK_SECONDS)
    with sufferer.db() as db:
        eventually(
            lambda: all(row.outcome for row in rows(db, partners)), "every outcome", seconds=until - time.monotonic()
        )
        figures("seconds to the last outcome", time.monotonic() - happened)
        ended = rows(db, partners)
    assert len(ended) == len(partners)
    behaviours = {str(partner.id): partner.behaviour for partner in partners}
    for row in ended:
        fate = FATES[behaviours[row.target]]
        assert (row.state, row.outcome, row.status_code, row.error) == fate, behaviours[row.target]
        assert row.last_error == row.error
        assert row.kept is None or row.kept <= 4096
        # Whoever failed at once has been tried a second time meanwhile.
        assert row.attempts <= (2 if row.state == "pending" else 1)
        assert row.duration_ms < timedelta(seconds=stretched(DEADLINE_SECONDS + 1)) / timedelta(milliseconds=1)
    assert Counter(behaviours[row.target] for row in ended) == CROWD


def rows(db: psycopg.Connection, partners: list[Partner]) -> list[Any]:
    """The deliveries to all partners, with their first attempts."""
    with db.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(DELIVERIES, [[str(partner.id) for partner in partners]]).fetchall()
