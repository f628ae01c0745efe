"""Two databases that differ in one thing: in the first, another person has things of every kind; in the second, not
even that person exists. What all may see is the same: a third person has taken the same times of the same mentor.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection, text

from api.http.idempotency import IdempotentRequest
from config.vapid import new_private_key
from models.engine import create
from tests import factories, servers
from tests.api.conftest import counts
from tests.application import ApiResponse, World, as_mentor, as_user
from tests.contract.scene import TIMES, Headers, Scene, have_things, set_scene, take_times
from workflows.catalog.products import Product, product_query
from workflows.identity.actor import Actor
from workflows.reviews.actions import moderate
from workflows.reviews.records import Review

NOW = datetime.now(UTC)
THEIR_KEY = "a key of theirs"
THEIR_ADDRESS = "their.address@example.org"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Times of a clock; times of bookings are whole minutes.
_PRESENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_RANDOM = re.compile(r'"(requestId|secret|url|nextCursor)": ?"[^"]*"')
# Of bodies with such times; the version of a delivery is one of its own times.
_DIGEST = re.compile(r"-[0-9a-f]{16}|[0-9a-f]{40}|[0-9]{7,}")
# Seconds from now, of which one may pass between the two.
_SECONDS = ("Retry-After", "RateLimit")
_OF_EACH_ANSWER = ("Date", "X-Request-Id", "Content-Length")
# Where the rows of the other person's things stand, by the names of their ids.
_TABLES = {
    "user_id": "users",
    "booking_id": "bookings",
    "session_id": "sessions",
    "proposal_id": "reschedule_proposals",
    "review_id": "reviews",
    "bundle_id": "bundle_purchases",
    "payment_id": "payments",
    "refund_id": "payment_entries",
    "template_id": "group_session_templates",
    "calendar_feed_id": "calendar_feeds",
    "endpoint_id": "webhook_endpoints",
    "delivery_id": "deliveries",
    "notification_id": "notifications",
    "subscription_id": "push_subscriptions",
}
_ROWS = " UNION ALL ".join(
    f"SELECT '{name}', md5(CAST({table} AS text)) FROM {table} WHERE id = :{name}" for name, table in _TABLES.items()
)


@dataclass(frozen=True)
class Worlds:
    """Both applications.

    Args:
        own: what the caller, a mentee with a mentor, has in both.
        theirs: the ids of what the other person has in the first.
        had: how many rows each table of each had at first.
    """

    with_them: World
    without: World
    own: Scene
    theirs: dict[str, UUID]
    had: tuple[dict[str, int], dict[str, int]]

    @property
    def callers(self) -> dict[str, Headers]:
        """Those who ask: a mentee, their mentor, and someone without anything."""
        return {
            "mentee": as_user(self.own.mentee),
            "mentor": as_mentor(self.own.mentor),
            "other user": as_user(self.own.other_user),
        }

    def rows(self) -> dict[str, str]:
        """The other person's rows, each as a digest."""
        with self.with_them.engine.connect() as db:
            return {name: digest for name, digest in db.execute(text(_ROWS), {n: self.theirs[n] for n in _TABLES})}

    def added(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many rows each table of each has gained."""
        present = counts(self.with_them.engine), counts(self.without.engine)
        first, second = (
            {name: number - had[name] for name, number in now.items()}
            for now, had in zip(present, self.had, strict=True)
        )
        return first, second

    def as_seen(self, answer: ApiResponse) -> tuple[int, dict[str, str], str]:
        """Status, headers and body, without what differs from answer to answer."""
        headers = {name: self._comparable(value) for name, value in answer.headers if name not in _OF_EACH_ANSWER}
        if "ETag" in headers:
            headers["ETag"] = _DIGEST.sub("…", headers["ETag"])
        headers |= {name: "…" for name in _SECONDS if name in headers}
        body = answer.get_data(as_text=True)
        if '"audit"' in body and "Content-Disposition" in answer.headers:
            # The export lists the refused accesses of the caller, who has seen each 403 that is a 404 elsewhere.
            exported = json.loads(body)
            exported["audit"] = [entry for entry in exported["audit"] if entry["result"] != "forbidden"]
            body = json.dumps(exported)
        return answer.status_code, headers, self._comparable(body)

    def _comparable(self, shown: str) -> str:
        known = {str(each) for each in self.own.ids.values()} | {str(self.own.mentee.id), str(self.own.mentor.id)}
        shown = _RANDOM.sub(r'"\1": "…"', _PRESENT.sub("<now>", shown))
        return _UUID.sub(lambda found: found[0] if found[0] in known else "<id>", shown)


@contextmanager
def two_worlds(name: str, template: str) -> Iterator[Worlds]:
    """Make both, as copies of one database in which the caller has things.

    Args:
        name: of the databases, which are its beginning.
        template: the name of a migrated, empty database.
    """
    with ExitStack() as made:
        base = create(made.enter_context(servers.temporary_database(f"{name}_base", template)))
        begins = tuple(factories.next_slot() for _ in range(TIMES))
        with base.begin() as db:
            own = set_scene(db)
            course_id, product_id = own.ids["course_id"], own.ids["product_id"]
            product = Product.of(db.execute(product_query(course_id, product_id)).one())
            listing = factories.make_listing(db, own.other_mentor, early_start_minutes=None, course_id=course_id)
            third = factories.make_user(db, name="Third Person")
        # A database that is copied has no connections.
        base.dispose()
        first, second = (
            create(made.enter_context(servers.temporary_database(f"{name}_{kind}", f"{name}_base")))
            for kind in ("with", "without")
        )
        for engine in (first, second):
            made.callback(engine.dispose)
        with first.begin() as db:
            them = factories.make_user(db, name=third.name, email=THEIR_ADDRESS)
            theirs = _hidden(db, take_times(db, listing, them, begins))
            theirs |= have_things(db, listing, product, own.other_mentor, them)
        with second.begin() as db:
            _hidden(db, take_times(db, listing, third, begins))
        push = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:operators@example.org"}
        with_them, without = World.on(first, **push), World.on(second, **push)
        _use_their_key(with_them, theirs)
        yield Worlds(with_them, without, own, theirs, (counts(first), counts(second)))


def _hidden(db: Connection, ids: dict[str, UUID]) -> dict[str, UUID]:
    review = Review.of(db.execute(Review.by_id(ids["review_id"])).one())
    moderate(db, actor=factories.OPERATOR, review=review, hidden=True, reason="Not about the session.", now=NOW)
    return ids


def _use_their_key(world: World, theirs: dict[str, UUID]) -> None:
    with world.app.test_request_context("/bookings", method="POST"), world.engine.begin() as db:
        made = IdempotentRequest(request, Actor(name=f"user:{theirs['user_id']}"), THEIR_KEY)
        made.keep(db, Response("{}", mimetype="application/json"))
