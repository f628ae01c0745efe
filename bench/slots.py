"""How long the slots of a course take: five mentors in three zones, 90 days, steps of 15 minutes, 2,000 bookings."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bench.machine import spending
from bench.results import Results, Row
from tests.booking_system import Offer, Tutelage
from tests.load import Connection, closed_loop, percentile

MENTORS, BOOKINGS, DAYS = 5, 2_000, 90
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
OPENS, CLOSES = "07:00", "21:00"
FIRST_HOUR, HOURS_APART = 7, 2
CLIENTS = 4
WARM_UP, ANSWERS = 20, 200
ROUTE = "/courses/<id:course_id>/slots"
TITLE = f"slots of a course, {MENTORS} mentors × {DAYS} days × 15 minutes, {BOOKINGS:,} bookings"


def measure_slots(contender: Tutelage, results: Results) -> None:
    """Milliseconds in the server, by its own log, of one answer after the other; and what an answer costs.

    Args:
        contender: without workers.
    """
    connection = Connection(contender.url)
    course = contender.operator.post("/courses", {"title": "Linear algebra I"})["id"]
    contender.add_offers(MENTORS, bookingMode="instant", courseId=course)
    for number, offer in enumerate(contender.offers):
        _open(connection, offer, ZONES[number % len(ZONES)])
    today = datetime.now(UTC).date()
    _book(contender, today)
    begin, end = (f"{today + timedelta(days=days)}T00:00:00Z" for days in (1, DAYS + 1))
    path = f"/courses/{course}/slots?from={begin}&to={end}&durationMinutes=60&stepMinutes=15"
    headers = contender.offers[0].as_mentee
    for _ in range(WARM_UP):
        slots = len(connection.request("GET", path, headers, expect=200).json()["items"])
    with spending(contender.pids) as spent:
        for _ in range(ANSWERS):
            connection.request("GET", path, headers, expect=200)
    connection.close()
    took = sorted(list(_logged(contender))[-ANSWERS:])
    for percent in (50, 95):
        results.add(_row(f"in the server, p{percent}"), contender.name, percentile(took, percent))
    results.add(_row("processor time, all processes"), contender.name, spent.total * 1000 / ANSWERS)
    results.note(f"An answer of {TITLE} has {slots:,} slots.")


def _row(what: str) -> Row:
    return Row(f"{TITLE}, {what}", "ms", more_is_better=False)


def _open(connection: Connection, offer: Offer, zone: str) -> None:
    week = [{"weekday": day, "startTime": OPENS, "endTime": CLOSES} for day in range(7)]
    body = {"timeZone": zone, "hours": week}
    connection.request("PUT", f"/mentors/{offer.mentor_id}/hours", offer.as_mentor, body, expect=200)


def _book(contender: Tutelage, today: date) -> None:
    wanted = iter([_booking(contender, today, number) for number in range(BOOKINGS)])

    def work(connection: Connection) -> None:
        offer, start = next(wanted)
        body = {"listingId": offer.listing_id, "startTime": start.isoformat()}
        connection.request("POST", "/bookings", offer.as_mentee, body, expect=202)

    closed_loop(contender.url, CLIENTS, work, count=BOOKINGS)


def _booking(contender: Tutelage, today: date, number: int) -> tuple[Offer, datetime]:
    """The mentors in turn, then the days, then the hours of a day."""
    turn, place = divmod(number, MENTORS)
    hour, day = divmod(turn, DAYS)
    there = ZoneInfo(ZONES[place % len(ZONES)])
    start = datetime.combine(today + timedelta(days=1 + day), time(FIRST_HOUR + HOURS_APART * hour), there)
    return contender.offers[place], start


def _logged(contender: Tutelage) -> Iterator[float]:
    for line in (contender.data_dir / "logs" / "api.log").read_text().splitlines():
        if ROUTE in line:
            yield json.loads(line)["duration_ms"]
