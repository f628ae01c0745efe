"""Fixtures of the API's tests: a mentor with a listing, a mentee and a stranger, behind the real API."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models.base import metadata
from models.engine import create
from tests import factories, servers
from tests.application import ApiClient, ApiResponse, World, as_mentor, as_operator, as_user
from workflows.accounts.records import Mentor, User
from workflows.bookings.records import Booking
from workflows.bundles.records import Bundle
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.catalog.products import Product
from workflows.reviews.records import Review
from workflows.sessions.records import Session

Headers = dict[str, str]
MONDAY = datetime.fromisoformat("2030-05-06T09:00:00+00:00")
HOUR = timedelta(hours=1)
# The tests of the API and of its contract each have a database of their own.
_NUMBERS = itertools.count(1)
# The audit has an entry of each refused access.
_COUNTED = metadata.tables.keys() - {"audit_entries"}
_COUNTS = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in _COUNTED)


def version_of(answer: ApiResponse) -> int:
    """The version in an answer's ETag, which the digest of the body follows."""
    return int(answer.headers["ETag"].strip('"').partition("-")[0])


@dataclass(frozen=True)
class Cast:
    """Who plays in a test."""

    mentor: Mentor
    mentee: User
    stranger: User
    other_mentor: Mentor
    listing: Listing

    @property
    def as_mentor(self) -> Headers:
        return as_mentor(self.mentor)

    @property
    def as_mentee(self) -> Headers:
        return as_user(self.mentee)

    @property
    def as_stranger(self) -> Headers:
        return as_user(self.stranger)

    @property
    def as_other_mentor(self) -> Headers:
        return as_mentor(self.other_mentor)

    @property
    def as_operator(self) -> Headers:
        return as_operator()

    def body(self, **fields: Any) -> dict[str, Any]:
        return {"listingId": str(self.listing.id), "startTime": factories.next_slot().isoformat(), **fields}


@dataclass(frozen=True)
class Tuition:
    """A course of three mentors, the smallest id first, and its only product."""

    client: ApiClient
    cast: Cast
    course: Course
    product: Product
    mentors: list[Mentor]

    def book(self, headers: dict[str, str] | None = None, /, **fields: Any) -> ApiResponse:
        """Ask for an hour on a Monday, as the mentee unless said otherwise."""
        body = {"courseId": str(self.course.id), "durationMinutes": 60, "startTime": MONDAY.isoformat(), **fields}
        body = {name: value for name, value in body.items() if value is not None}
        return self.client.post("/bookings/individual", json=body, headers=headers or self.cast.as_mentee)


@pytest.fixture(scope="session")
def api_engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine on the database that the tests of the API use one after another."""
    with servers.temporary_database(f"tutelage_api_{worker_id}_{next(_NUMBERS)}", template_database) as address:
        engine = create(address)
        yield engine
        engine.dispose()


@pytest.fixture
def engine(api_engine: Engine) -> Iterator[Engine]:
    """An engine on a database that is empty when the test begins; what a test commits is really committed."""
    yield api_engine
    servers.empty(api_engine)


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine)


@pytest.fixture
def client(world: World) -> ApiClient:
    return world.client


@pytest.fixture(scope="session")
def kept_cast(api_engine: Engine) -> tuple[Cast, str]:
    """People, and what puts their rows into the empty database: thousands of tests begin with them."""
    with api_engine.begin() as db:
        mentor = factories.make_mentor(db)
        cast = Cast(
            mentor=mentor,
            mentee=factories.make_user(db),
            stranger=factories.make_user(db, name="Stranger"),
            other_mentor=factories.make_mentor(db),
            listing=factories.make_listing(db, mentor),
        )
    return cast, servers.keep_rows(api_engine, "kept_cast")


@pytest.fixture
def cast(engine: Engine, kept_cast: tuple[Cast, str]) -> Cast:
    cast, kept = kept_cast
    servers.put_back(engine, kept)
    return cast


@pytest.fixture
def draft(engine: Engine, cast: Cast) -> Booking:
    with engine.begin() as db:
        return factories.make_booking(db, listing=cast.listing, mentee=cast.mentee)


@pytest.fixture
def accepted(engine: Engine, draft: Booking) -> Booking:
    """An accepted booking whose session is not there yet."""
    with engine.begin() as db:
        return factories.accept_booking(db, draft)


@pytest.fixture
def scheduled(engine: Engine, cast: Cast) -> Session:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None)
        return factories.make_session(db, listing=listing, mentee=cast.mentee)


@pytest.fixture
def in_progress(engine: Engine, scheduled: Session) -> Session:
    with engine.begin() as db:
        return factories.start_session(db, scheduled)


@pytest.fixture
def reviewed(engine: Engine, cast: Cast) -> Review:
    with engine.begin() as db:
        return factories.make_review(db, factories.make_permit(db, listing=cast.listing, mentee=cast.mentee))


@pytest.fixture(scope="session")
def kept_course(api_engine: Engine) -> tuple[Course, str]:
    """A course, and what puts it into the empty database."""
    with api_engine.begin() as db:
        course = factories.make_course(db)
    return course, servers.keep_rows(api_engine, "kept_course")


@pytest.fixture
def course(engine: Engine, kept_course: tuple[Course, str]) -> Course:
    course, kept = kept_course
    servers.put_back(engine, kept)
    return course


@pytest.fixture
def product(engine: Engine, course: Course) -> Product:
    with engine.begin() as db:
        return factories.make_product(db, course)


@pytest.fixture(scope="session")
def kept_tuition(api_engine: Engine, kept_course: tuple[Course, str]) -> tuple[Product, list[Mentor], str]:
    """Three mentors of the course and its only product, and what puts them and their listings beside it."""
    course, kept = kept_course
    servers.put_back(api_engine, kept)
    with api_engine.begin() as db:
        mentors = sorted((factories.make_mentor(db) for _ in range(3)), key=lambda mentor: mentor.id)
        for mentor in mentors:
            factories.make_listing(db, mentor, course_id=course.id, buffer_minutes=10, price_amount=7000)
        product = factories.make_product(db, course, price_amount=5000, price_currency="EUR")
    return product, mentors, servers.keep_rows(api_engine, "kept_tuition", without={"courses"})


@pytest.fixture
def tuition(
    engine: Engine, client: ApiClient, cast: Cast, course: Course, kept_tuition: tuple[Product, list[Mentor], str]
) -> Tuition:
    product, mentors, kept = kept_tuition
    servers.put_back(engine, kept)
    return Tuition(client, cast, course, product, list(mentors))


def headers_of(cast: Cast, who: str) -> dict[str, str]:
    headers: dict[str, str] = getattr(cast, f"as_{who}")
    return headers


def refusal(answer: ApiResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


@pytest.fixture
def bundle(engine: Engine, cast: Cast, course: Course) -> Bundle:
    """A bundle of five sessions of the course, which the mentee has bought."""
    with engine.begin() as db:
        return factories.make_bundle(db, course=course, mentee=cast.mentee, valid_days=180)


def counts(engine: Engine) -> dict[str, int]:
    """How many rows each table has: the same before and after whatever must write nothing."""
    with engine.connect() as db:
        return {name: number for name, number in db.exec_driver_sql(_COUNTS)}


@contextmanager
def nothing_written(engine: Engine) -> Iterator[None]:
    """A block after which each table has as many rows as before it."""
    before = counts(engine)
    yield
    assert counts(engine) == before
