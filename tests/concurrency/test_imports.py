"""Imports beside one another, beside bookings of the same times, and over the death of their worker."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update

from config.sealing import Sealer
from infrastructure.operator_policy import operator_policy
from models.catalog import BookingMode, listings
from models.imports import import_chunks
from tests import factories
from tests.application import settings_for
from tests.concurrency.racing import ROUNDS, Race
from tests.queries import broken_invariants
from workflows.bookings.direct import WantedListing, book_directly
from workflows.imports.uploads import Import, Upload, carry_on, import_query, start_import
from workflows.invariants import check_all
from workflows.kernel.errors import Conflict

Lines = dict[str, list[tuple[int, dict[str, Any]]]]
PRICE = {"amount": 4000, "currency": "USD"}
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)


def a_file(bookings: int) -> Lines:
    """Two people, a listing, and bookings an hour apart."""
    people = [{"externalId": name, "email": f"{name}@import.example", "name": name} for name in ("ada", "grace")]
    at = [(START + timedelta(hours=number)).isoformat() for number in range(bookings)]
    by_type: dict[str, list[dict[str, Any]]] = {
        "user": people,
        "mentor": [{"externalId": "m", "user": "grace", "headline": "Teacher"}],
        "listing": [{"externalId": "l", "mentor": "m", "title": "Hour", "durationMinutes": 60, "price": PRICE}],
        "booking": [
            {"externalId": f"b{number}", "listing": "l", "mentee": "ada", "startTime": start, "status": "accepted"}
            for number, start in enumerate(at)
        ],
    }
    return {kind: [(0, {"type": kind, **each}) for each in of_kind] for kind, of_kind in by_type.items()}


def numbered(by_type: Lines) -> Upload:
    numbers = iter(range(1, 1_000_000))
    lines = {kind: [(next(numbers), json.dumps(given)) for _, given in of_kind] for kind, of_kind in by_type.items()}
    return Upload(by_type=lines, repeated=0, refused=0, refusals=[])


class Imports:
    """Imports on a database, each step in a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = settings_for(engine.url.render_as_string(hide_password=False))
        self.policy = operator_policy(self.settings)

    def start(self, by_type: Lines) -> UUID:
        options: dict[str, Any] = {"dry_run": False, "notify": False, "now": datetime.now(UTC)}
        seal = Sealer(self.settings.encryption_keys).seal
        with self.engine.begin() as db:
            return start_import(db, actor=factories.OPERATOR, upload=numbered(by_type), seal=seal, **options).id

    def step(self, import_id: UUID, db: Connection) -> bool:
        return carry_on(db, import_id, policy=self.policy, now=datetime.now(UTC))

    def run(self, import_id: UUID) -> None:
        more = True
        while more:
            with self.engine.begin() as db:
                more = self.step(import_id, db)

    def result(self, import_id: UUID) -> Import:
        with self.engine.begin() as db:
            return Import.of(db.execute(import_query(import_id)).one())


@pytest.fixture
def imports(engine: Engine) -> Imports:
    return Imports(engine)


def require_clean(engine: Engine) -> None:
    assert not broken_invariants(engine)


def test_one_file_twice_at_once_makes_nothing_twice(engine: Engine, race: Race, imports: Imports) -> None:
    file = a_file(bookings=250)
    ids = [imports.start(file) for _ in range(2)]
    # Two workers for each, as where a wake-up is delivered twice.
    race.run([partial(imports.run, each) for each in ids * 2])
    found = [imports.result(each) for each in ids]
    assert [each.errors for each in found] == [[], []]
    lines = sum(map(len, file.values()))
    assert Counter(created=sum(each.created for each in found), unchanged=sum(each.unchanged for each in found)) == {
        "created": lines,
        "unchanged": lines,
    }
    with engine.begin() as db:
        assert db.scalar(text("SELECT count(*) FROM sessions")) == 250
        assert db.scalar(text("SELECT count(*) FROM person_busy")) == 500
        assert db.scalar(select(func.count()).select_from(import_chunks)) == 0
    require_clean(engine)


def test_a_worker_that_dies_leaves_nothing_half_done(engine: Engine, imports: Imports) -> None:
    import_id = imports.start(a_file(bookings=250))
    more, steps = True, 0
    while more:
        # As kill -9: all that the transaction wrote is gone.
        with engine.connect() as db, db.begin() as transaction:
            imports.step(import_id, db)
            transaction.rollback()
        before = imports.result(import_id)
        with engine.begin() as db:
            more = imports.step(import_id, db)
        steps += 1
        after = imports.result(import_id)
        assert after.created > before.created
    assert steps == 5
    assert (after.created, after.refused, after.status) == (254, 0, "done")
    require_clean(engine)


def test_a_time_is_given_to_a_booking_or_to_a_line(engine: Engine, race: Race, imports: Imports) -> None:
    imports.run(imports.start(a_file(bookings=0)))
    with engine.begin() as db:
        db.execute(update(listings).values(booking_mode=BookingMode.INSTANT))
        listing = db.execute(select(listings.c.id, listings.c.mentor_profile_id)).one()
        others = [factories.make_user(db) for _ in range(ROUNDS)]
    won: Counter[str] = Counter()
    for number, other in enumerate(others):
        starts = START + timedelta(days=1, hours=2 * number)
        line = {"externalId": f"r{number}", "listing": "l", "mentee": "ada", "status": "accepted"}
        booking = {"type": "booking", **line, "startTime": starts.isoformat()}
        import_id = imports.start({"booking": [(0, booking)]})
        wanted = WantedListing(mentor_profile_id=listing.mentor_profile_id, listing_id=listing.id)
        book = partial(book_directly, actor=factories.acting_user(other), wanted=wanted, scheduled_at=starts)
        booked, _more = race.transact([partial(book, now=datetime.now(UTC)), partial(imports.step, import_id)])
        found = imports.result(import_id)
        if isinstance(booked, Conflict):
            assert (booked.code, found.created) == ("slot_taken", 1)
            won["line"] += 1
        else:
            assert [each["code"] for each in found.errors] == ["slot_taken"]
            won["booking"] += 1
    assert won.total() == ROUNDS
    with engine.begin() as db:
        # Accepted bookings have their sessions by an effect, which does not run here.
        names = [each.name for each in check_all(db) if each.violations]
        assert set(names) <= {"accepted_booking_without_session", "delivery_long_overdue"}
