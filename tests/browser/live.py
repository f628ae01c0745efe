"""The live system that all tests of the component share, and what a test has in it for itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Engine, func, select, update

from cli.embedded import free_port
from models.bookings import bookings
from models.calendar import person_busy
from models.engine import create as create_engine
from models.reviews import review_permits
from models.sessions import sessions
from tests import factories, servers
from tests.api.conftest import Headers
from tests.application import SECRET, as_mentor, as_user
from tests.browser.host import Host
from tests.browser.serving import serving
from tests.cli.running import tutelage_up
from tests.queries import execute
from tests.speaking import Caller
from workflows.accounts.records import Mentor, User
from workflows.catalog.listings import Listing
from workflows.sessions.actions import create
from workflows.sessions.records import Session

# Processes whose work no page shows.
LEFT_OUT = ("flower", "sweep", "maintain", "worker-notifications", "worker-analytics", "worker-webhooks")
PUBLISHABLE_KEY = "tpk_" + "0123456789abcdefABCDEFGH"
_NAMES = itertools.cycle(["Maya Lindqvist", "Tomás Okafor", "Priya Raman", "Jonas Weber"])


@dataclass(frozen=True)
class Live:
    """A running system.

    Attributes:
        host: the site whose pages have the component.
        origin: where the site answers; it is another origin than the API's.
    """

    api: str
    engine: Engine
    host: Host
    origin: str

    def caller(self, headers: Headers) -> Caller:
        return Caller(self.api, headers)


@contextmanager
def live_system(folder: Path, template_database: str, number: int) -> Iterator[Live]:
    """Run PostgreSQL's and Valkey's clients of the test run: the API, workers and live updates; and a site.

    Args:
        number: of the process of tests, from 1: each has a system of its own.
    """
    host, port = Host(), free_port()
    origin = f"http://localhost:{port}"
    with servers.temporary_database(f"tutelage_browser_{number}", template_database) as address:
        environment = {
            "DATABASE_URL": address,
            "REDIS_URL": urlsplit(servers.redis_url())._replace(path=f"/{number}").geturl(),
            "JWT_SECRET": SECRET,
            "JWT_LEEWAY_SECONDS": "0",
            "CORS_ORIGINS": origin,
            "PUBLISHABLE_KEYS": PUBLISHABLE_KEY,
            "API_WORKERS": "1",
        }
        system = tutelage_up(folder / "system", without=LEFT_OUT, environment=environment)
        with system as up, serving(host.app(), port):
            run = up.run()
            host.api, host.streams = str(run["api"]["url"]), str(run["streams"]["url"])
            engine = create_engine(address)
            yield Live(host.api, engine, host, origin)
            engine.dispose()


@dataclass(frozen=True)
class Stage:
    """A mentor who works from nine to five in a zone, with two offers, and two who want to book."""

    live: Live
    mentor: Mentor
    mentee: User
    rival: User
    instant: Listing
    on_request: Listing

    @classmethod
    def make(cls, live: Live, *, zone: str = "UTC", opens: str = "09:00", closes: str = "17:00") -> Stage:
        """One with people of its own."""
        terms = {"early_start_minutes": None, "cancellation_window_hours": 24, "late_fee_percent": 50}
        with live.engine.begin() as db:
            owner = factories.make_user(db, name=next(_NAMES), time_zone=zone)
            mentor = factories.make_mentor(db, owner)
            stage = cls(
                live=live,
                mentor=mentor,
                mentee=factories.make_user(db),
                rival=factories.make_user(db, name="Another Person"),
                instant=factories.make_listing(db, mentor, title="Mock interview", booking_mode="instant", **terms),
                on_request=factories.make_listing(db, mentor, title="Career coaching", **terms),
            )
        hours = [{"weekday": day, "startTime": opens, "endTime": closes} for day in range(7)]
        stage.as_mentor("PUT", f"/mentors/{mentor.id}/hours", {"timeZone": zone, "hours": hours})
        stage.as_mentor("PUT", f"/mentors/{mentor.id}/booking-rules", {"stepMinutes": 60})
        return stage

    @property
    def as_mentor(self) -> Caller:
        return self.live.caller(as_mentor(self.mentor))

    @property
    def as_mentee(self) -> Caller:
        return self.live.caller(as_user(self.mentee))

    @property
    def as_rival(self) -> Caller:
        return self.live.caller(as_user(self.rival))

    def slots(self, day: date | None = None) -> Sequence[datetime]:
        """The starts that are free on a day of UTC, tomorrow unless named."""
        begin = datetime.combine(day or tomorrow(), datetime.min.time(), tzinfo=UTC)
        span = "&".join(f"{name}={at:%Y-%m-%dT%H:%M:%SZ}" for name, at in span_of(begin).items())
        found = self.as_mentee.get(f"/mentors/{self.mentor.id}/slots?durationMinutes=60&{span}")
        return [datetime.fromisoformat(each["startTime"]) for each in found["items"]]

    def book(self, by: Caller, start: datetime, listing: Listing | None = None) -> Any:
        return by.post(
            "/bookings", {"listingId": str((listing or self.instant).id), "startTime": start.isoformat(), "title": "X"}
        )

    def session(self, listing: Listing | None = None) -> Session:
        """A session of the mentee with the mentor, accepted two hours ago: the day after tomorrow at noon UTC."""
        start = datetime.combine(tomorrow() + timedelta(days=1), time(12), tzinfo=UTC)
        with self.live.engine.begin() as db:
            booking = factories.make_booking(
                db, listing=listing or self.on_request, mentee=self.mentee, start_time=start, title="The first weeks"
            )
            session = create(db, booking_id=factories.accept_booking(db, booking).id)
            # Without the hour in which an accepted session can be cancelled for nothing.
            earlier = sessions.c.created_at - timedelta(hours=2)
            db.execute(update(sessions).where(sessions.c.id == session.id).values(created_at=earlier))
            return session

    def bookings_of(self, user: User) -> list[tuple[UUID, str, datetime]]:
        """The bookings of a user with this mentor: id, status, start."""
        wanted = bookings.c.mentee_user_id == user.id
        query = select(bookings.c.id, bookings.c.status, bookings.c.start_time).where(
            wanted, bookings.c.mentor_profile_id == self.mentor.id
        )
        with self.live.engine.connect() as db:
            return [(row.id, str(row.status), row.start_time) for row in db.execute(query.order_by(bookings.c.id))]

    def session_id(self) -> UUID:
        with self.live.engine.connect() as db:
            return UUID(str(db.scalars(select(sessions.c.id).where(sessions.c.mentee_user_id == self.mentee.id)).one()))

    def expire_holds(self) -> None:
        """End all holds of the mentor's time, as after their minutes."""
        held = (person_busy.c.mentor_profile_id == self.mentor.id) & person_busy.c.expires_at.is_not(None)
        execute(self.live.engine, update(person_busy).where(held).values(expires_at=datetime.now(UTC)))

    def permits(self) -> int:
        """How many sessions the mentee may review."""
        query = (
            select(func.count()).select_from(review_permits).where(review_permits.c.mentee_user_id == self.mentee.id)
        )
        return int(execute(self.live.engine, query).scalar_one())

    def count_bookings(self) -> int:
        """How many bookings the mentor has, whatever became of them."""
        query = select(func.count()).select_from(bookings).where(bookings.c.mentor_profile_id == self.mentor.id)
        return int(execute(self.live.engine, query).scalar_one())


def tomorrow() -> date:
    return (datetime.now(UTC) + timedelta(days=1)).date()


def span_of(begin: datetime) -> dict[str, datetime]:
    return {"from": begin, "to": begin + timedelta(days=1)}
