"""One thing of every kind that a path can name, all of the same mentor and mentee, and every kind of caller."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, select, update
from uuid_utils.compat import uuid7

from config.sealing import Sealer
from models.bookings import bookings
from models.catalog import ProductKind
from models.events import deliveries
from models.keys import KeyScope
from models.notifications import Channel, notifications, push_subscriptions
from tests import factories
from tests.application import SECRET, as_mentor, as_operator, as_user, bearer, token
from workflows.accounts.api_keys import create_api_key
from workflows.accounts.records import Mentor, User
from workflows.availability.dates import CalendarOwner, calendar_owner_query
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import hold
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle
from workflows.catalog.listings import Listing
from workflows.catalog.products import Product
from workflows.groups.templates import create_template
from workflows.imports.uploads import Upload, start_import
from workflows.sessions.actions import create as create_session
from workflows.sessions.moving import reschedule
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import Session, accepted_session, session_query
from workflows.sessions.time_off import take_time_off
from workflows.webhooks.actions import create_endpoint
from workflows.webhooks.records import Endpoint

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
DAY = date(2030, 5, 4)
# How many `take_times` takes.
TIMES = 4
Headers = dict[str, str]
# Of the page that visitors come by.
PUBLISHABLE_KEY = "tpk_" + "0123456789abcdefABCDEF" * 2


@dataclass(frozen=True)
class Scene:
    """The people, and what paths can name.

    Args:
        ids: by the names of parameters; where a name means different things, by the path's first part and the name.
    """

    mentor: Mentor
    mentee: User
    other_mentor: Mentor
    other_user: User
    ids: dict[str, Any]

    @property
    def callers(self) -> dict[str, Headers]:
        """The headers of each kind of caller whose credentials hold, by the columns of docs/permissions.md."""
        return {
            "mentee": as_user(self.mentee),
            "mentor": as_mentor(self.mentor),
            "mentor's user": as_user(self.mentor.user_id),
            "other mentor": as_mentor(self.other_mentor),
            "other user": as_user(self.other_user),
            "operator": as_operator(),
            "visitor": {"Authorization": f"Bearer {PUBLISHABLE_KEY}"},
        }

    @property
    def strangers(self) -> dict[str, Headers]:
        """The headers of callers who are refused by every route that is not open."""
        claims = {"sub": str(self.mentee.id)}
        operator = {"sub": "operator-1", "roles": ["operator"]}
        return {
            "nobody": {},
            "forged token": {"Authorization": f"Bearer {token(operator, secret='another secret of thirty-two bytes')}"},
            "expired token": {"Authorization": f"Bearer {token(claims, lifetime=-3600)}"},
            "unknown user": as_user(uuid4()),
            "mentor of another user": bearer({**claims, "mentor_profile_id": str(self.mentor.id)}),
            "unknown key": {"Authorization": f"Bearer {PUBLISHABLE_KEY}x"},
            # Where identity headers are not trusted, they are nothing.
            "headers alone": {"X-User-Id": str(self.mentee.id), "X-Mentor-Profile-Id": str(self.mentor.id)},
        }

    def path(self, rule: str) -> str:
        """The path of a rule, about the mentor's and the mentee's own."""
        area = rule.split("/")[1]
        return PARAMETER.sub(lambda found: str(self.ids.get(f"{area} {found[1]}") or self.ids[found[1]]), rule)


def set_scene(db: Connection) -> Scene:
    """Make the people and the things."""
    mentor, other_mentor = factories.make_mentor(db), factories.make_mentor(db)
    mentee, other_user = factories.make_user(db), factories.make_user(db, name="Other User")
    course = factories.make_course(db)
    listing = factories.make_listing(db, mentor, early_start_minutes=None, course_id=course.id)
    product = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5)
    group, blocked = factories.make_group(db, [mentee], listing=listing), factories.make_user(db)
    factories.make_block(db, mentor, blocked)
    begins = tuple(factories.next_slot() for _ in range(TIMES))
    return Scene(
        mentor=mentor,
        mentee=mentee,
        other_mentor=other_mentor,
        other_user=other_user,
        ids={
            "mentor_profile_id": mentor.id,
            "listing_id": listing.id,
            "mentors user_id": blocked.id,
            "course_id": course.id,
            "product_id": product.id,
            "group-sessions booking_id": group.id,
            "day": DAY,
            "kind": "session_created",
            "time_off_id": _time_off(db, mentor),
            "api_key_id": create_api_key(
                db, actor=factories.OPERATOR, name="A", scopes=[KeyScope.READ], expires_at=None
            ).id,
            "import_id": start_import(
                db,
                actor=factories.OPERATOR,
                upload=Upload(by_type={}, repeated=0, refused=0, refusals=[]),
                dry_run=False,
                notify=False,
                seal=Sealer((SECRET,)).seal,
                now=datetime.now(UTC),
            ).id,
            # Of open routes, whose addresses are credentials: made up.
            "secret": "x" * 43,
            "signed": "x",
            "filename": "index.css",
            "file_name": "manifest.json",
            "name": "sessions.md",
            "variant": "basic",
            **take_times(db, listing, mentee, begins),
            **have_things(db, listing, product, mentor, mentee),
        },
    )


def take_times(db: Connection, listing: Listing, mentee: User, begins: tuple[datetime, ...]) -> dict[str, UUID]:
    """Bookings that take a mentor's time: everybody sees that the mentor is busy, though not with whom."""
    scheduled, completed, held, paid = begins
    payment = factories.make_payment(db, listing=listing, mentee=mentee, start_time=paid)
    permit = factories.unlock_review(
        db, factories.complete_session(db, _session(db, listing, mentee, completed)), mentee.id
    )
    kept = hold(
        db,
        actor=factories.acting_user(mentee),
        wanted=WantedListing(mentor_profile_id=listing.mentor_profile_id, listing_id=listing.id),
        start_time=held,
        now=datetime.now(UTC),
        minutes=60,
        max_holds=3,
    )
    session = _session(db, listing, mentee, scheduled)
    return {
        "session_id": session.id,
        "proposal_id": _proposal(db, session, mentee, paid + timedelta(hours=1)).id,
        "review_id": factories.make_review(db, permit).id,
        "hold_id": kept.id,
        "payment_id": payment.id,
        "refund_id": payment.refunds[0].id,
    }


def have_things(db: Connection, listing: Listing, product: Product, mentor: Mentor, mentee: User) -> dict[str, UUID]:
    """Texts that the mentee, the mentor and operators alone see."""
    draft = factories.make_booking(db, listing=listing, mentee=mentee)
    series_id, recurring = uuid4(), factories.make_booking(db, listing=listing, mentee=mentee)
    db.execute(update(bookings).where(bookings.c.id == recurring.id).values(series_id=series_id))
    endpoint = _endpoint(db, mentor)
    delivery = select(deliveries.c.id).where(deliveries.c.endpoint_id == endpoint.id).limit(1)
    return {
        "user_id": mentee.id,
        "booking_id": draft.id,
        "series_id": series_id,
        "bundle_id": _bundle(db, product, mentee).id,
        "template_id": _template(db, mentor),
        "calendar_feed_id": factories.make_calendar_feed(db, mentor).id,
        "endpoint_id": endpoint.id,
        "delivery_id": db.execute(delivery).scalar_one(),
        "notification_id": _notification(db, mentee),
        "subscription_id": _subscription(db, mentee),
    }


def _session(db: Connection, listing: Listing, mentee: User, start: datetime) -> Session:
    booking = factories.make_booking(db, listing=listing, mentee=mentee, start_time=start)
    created = create_session(db, booking_id=factories.accept_booking(db, booking).id)
    return Session.of(db.execute(session_query(created.id)).one())


def _proposal(db: Connection, session: Session, mentee: User, to: datetime) -> Proposal:
    actor, found = factories.acting_user(mentee), accepted_session(db, session.id)
    proposed = reschedule(db, actor=actor, session=found, start_time=to, now=datetime.now(UTC))
    assert isinstance(proposed, Proposal)
    return proposed


def _bundle(db: Connection, product: Product, mentee: User) -> Bundle:
    return purchase(
        db,
        actor=factories.acting_user(mentee),
        course_id=product.course_id,
        product_id=product.id,
        mentee_user_id=mentee.id,
        now=datetime.now(UTC),
    )


def _template(db: Connection, mentor: Mentor) -> UUID:
    weekly = {"title": "Algebra", "weekday": 0, "start_time": time(9), "time_zone": "UTC", "duration_minutes": 60}
    price = {"price_amount": 4000, "price_currency": "USD"}
    columns = {**weekly, **price, "capacity": 3}
    return create_template(db, actor=factories.acting_mentor(mentor), columns=columns).id


def _endpoint(db: Connection, mentor: Mentor) -> Endpoint:
    return create_endpoint(
        db,
        actor=factories.acting_mentor(mentor),
        url="https://partner.example/hook",
        event_types=["*"],
        seal=Sealer((SECRET,)).seal,
        now=datetime.now(UTC),
    )


def _time_off(db: Connection, mentor: Mentor) -> UUID:
    owner = CalendarOwner.of(db.execute(calendar_owner_query(mentor.id)).one())
    start, actor = datetime(2031, 1, 1, tzinfo=UTC), factories.acting_mentor(mentor)
    period = {"start_time": start, "end_time": start + timedelta(days=1)}
    now = datetime.now(UTC)
    return take_time_off(db, actor=actor, mentor=owner, **period, reason=None, cancel_sessions=False, now=now).id


def _notification(db: Connection, user: User) -> UUID:
    words = {"kind": "review_unlocked", "title": "Review your session", "body": "So it is."}
    event, notification_id = factories.make_event(db), uuid7()
    about = {"id": notification_id, "event_id": event.id, "user_id": user.id, "channel": Channel.IN_APP}
    db.execute(insert(notifications).values(**about, **words))
    return notification_id


def _subscription(db: Connection, user: User) -> UUID:
    browser = {
        "id": uuid7(),
        "user_id": user.id,
        "endpoint_digest": uuid4().hex * 2,
        "sealed": "",
        "host": "push.example",
    }
    db.execute(insert(push_subscriptions).values(browser))
    return browser["id"]  # type: ignore[return-value]
