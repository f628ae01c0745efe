"""Two hundred requests for one time of a mentor at once, on every way into the books, over the API as it is run."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, func, select

from models.bookings import BookingStatus, bookings
from models.calendar import person_busy
from models.catalog import BookingMode
from models.sessions import sessions
from tests import factories
from tests.api.served import serving
from tests.application import as_mentor, as_user
from tests.concurrency.racing import BARRIER_SECONDS
from tests.load import Answer, Connection
from workflows.invariants import check_all
from workflows.sessions.actions import create

EACH = 50
HOUR = {"durationMinutes": 60}
# Of each way, the statuses that are no refusal; all others have the code `slot_taken`.
MADE = {"direct booking": 202, "hold": 201, "accept": 202, "individual booking": 202}

Send = Callable[[Connection], list[tuple[str, Answer]]]


def test_of_two_hundred_requests_for_one_slot_one_becomes_a_session(engine: Engine, tmp_path: Path) -> None:
    slot = factories.next_slot()
    with engine.begin() as db:
        course, mentor = factories.make_course(db), factories.make_mentor(db)
        factories.make_product(db, course)
        # Direct bookings take the cheapest.
        factories.make_listing(db, mentor, booking_mode=BookingMode.INSTANT, price_amount=3000)
        factories.make_listing(db, mentor, course_id=course.id, price_amount=5000)
        asked = factories.make_listing(db, mentor)
        people = [factories.make_user(db) for _ in range(4 * EACH)]
        drafts = [factories.make_booking(db, listing=asked, mentee=each, start_time=slot) for each in people[:EACH]]
    time, of_mentor = slot.isoformat(), {"mentorProfileId": str(mentor.id)}

    def post(connection: Connection, name: str, path: str, headers: dict[str, str], body: Any) -> tuple[str, Answer]:
        return name, connection.request("POST", path, headers, body)

    def book(who: dict[str, str]) -> Send:
        body = {**of_mentor, **HOUR, "scheduledAt": time, "title": "Growing"}
        return lambda connection: [post(connection, "direct booking", "/sessions/book", who, body)]

    def hold(who: dict[str, str]) -> Send:
        def held_and_booked(connection: Connection) -> list[tuple[str, Answer]]:
            path = f"/mentors/{mentor.id}/holds"
            held = post(connection, "hold", path, who, {**HOUR, "startTime": time})
            return [held, *(book(who)(connection) if held[1].status == 201 else [])]

        return held_and_booked

    def individual(who: dict[str, str]) -> Send:
        body = {**of_mentor, **HOUR, "startTime": time, "courseId": str(course.id)}
        return lambda connection: [post(connection, "individual booking", "/bookings/individual", who, body)]

    def accept(booking_id: Any) -> Send:
        path = f"/bookings/{booking_id}/accept"
        return lambda connection: [post(connection, "accept", path, as_mentor(mentor), None)]

    calls = [accept(draft.id) for draft in drafts]
    for number, way in enumerate((book, hold, individual), start=1):
        calls += [way(as_user(each)) for each in people[number * EACH : (number + 1) * EACH]]
    database_url = engine.url.render_as_string(hide_password=False)
    with serving(tmp_path, database_url, API_THREADS="8") as served, ThreadPoolExecutor(len(calls)) as threads:
        barrier = Barrier(len(calls))

        def call_at_once(send: Send) -> list[tuple[str, Answer]]:
            connection = Connection(served.url)
            barrier.wait(BARRIER_SECONDS)
            try:
                return send(connection)
            finally:
                connection.close()

        answers = [answer for sent in threads.map(call_at_once, calls) for answer in sent]
    refused = Counter((answer.status, answer.json()["code"]) for name, answer in answers if answer.status != MADE[name])
    made = Counter(name for name, answer in answers if answer.status == MADE[name])
    assert set(refused) == {(409, "slot_taken")}, refused
    # One books; a hold that comes before keeps the time for its holder's own booking.
    assert (made.total() - made["hold"], made["hold"] <= 1) == (1, True), made
    assert refused.total() + made.total() == len(answers)
    with engine.begin() as db:
        booked = db.scalars(select(bookings.c.id).where(bookings.c.status == BookingStatus.ACCEPTED)).all()
        assert len(booked) == 1
        create(db, booking_id=booked[0])
        assert [db.scalar(select(func.count()).select_from(table)) for table in (sessions, person_busy)] == [1, 2]
        assert not [finding for finding in check_all(db) if finding.violations]
