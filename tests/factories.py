"""People, offers, bookings and sessions for tests, made through the workflows as the API makes them."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, func, insert, select, update

from models.bookings import BookingKind, booking_participants, bookings
from models.calendar import person_busy
from models.catalog import ProductKind, listings
from models.events import deliveries
from models.groups import group_session_templates, group_sessions
from models.payments import PaymentMode
from models.people import mentor_profiles
from models.sessions import sessions
from workflows.accounts.actions import publish_mentor_profile, register_user
from workflows.accounts.blocks import Block, BlockOwner, block
from workflows.accounts.records import Mentor, User
from workflows.availability.dates import CalendarOwner, calendar_owner_query
from workflows.availability.feed_reading import FEEDS_TO_READ, CalendarCopy, keep_answer, request_for
from workflows.availability.feeds import CalendarFeed, add_feed, feed_query
from workflows.bookings.actions import accept
from workflows.bookings.awaiting import await_payment
from workflows.bookings.insert import insert_booking
from workflows.bookings.records import Booking
from workflows.bookings.request import request
from workflows.bundles.ledger import spend
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle
from workflows.catalog.courses import Course, create_course
from workflows.catalog.listings import Listing, publish_listing
from workflows.catalog.products import Product, create_product
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events.event import Event
from workflows.events.event_types import BookingAccepted, BookingRequested, ReviewUnlocked, SessionCompleted
from workflows.events.record import follow_up, record
from workflows.identity.access import HasMentor
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.payments.actions import PAY_WITHIN
from workflows.payments.records import Payment
from workflows.reviews.actions import ReviewableSession, reviewable_query, submit
from workflows.reviews.permits import Permit, permit_query, unlock_all
from workflows.reviews.records import Review
from workflows.sessions.actions import complete, create, start
from workflows.sessions.records import Session, session_query
from workflows.settlements.actions import confirm, grant_refund

OPERATOR = Actor(operator=True, name="operator:tests")
# Bookings that say no time of their own never overlap.
_SLOTS = itertools.count(1)


def this_hour() -> datetime:
    """The beginning of the present hour in UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def next_slot() -> datetime:
    """A start time from two days ahead on that no other call gets; slots are three hours apart."""
    return this_hour() + timedelta(days=2, hours=3 * next(_SLOTS))


def make_user(db: Connection, *, name: str = "Ada Lovelace", email: str | None = None, time_zone: str = "UTC") -> User:
    """A registered user."""
    return register_user(
        db, actor=OPERATOR, email=email or f"{uuid4().hex}@example.org", name=name, time_zone=time_zone
    )


def make_mentor(db: Connection, user: User | None = None, *, skills: list[str] | None = None) -> Mentor:
    """A published mentor profile, of a new user unless one is given."""
    owner = user or make_user(db, name="Grace Hopper")
    return publish_mentor_profile(
        db, actor=OPERATOR, user_id=owner.id, headline="Mentor", bio=None, time_zone=None, skills=skills or []
    )


def make_block(db: Connection, mentor: Mentor, user: User) -> Block:
    """A mentor's block of a person."""
    owner = BlockOwner(mentor_profile_id=mentor.id, user_id=mentor.user_id, version=1)
    return block(db, actor=acting_mentor(mentor), mentor=owner, user_id=user.id)


def make_listing(db: Connection, mentor: Mentor | None = None, **offer: Any) -> Listing:
    """A listing of an hour for 40 dollars, of a new mentor unless one is given."""
    owner = mentor or make_mentor(db)
    columns = {"title": "An hour", "duration_minutes": 60, "price_amount": 4000, "price_currency": "USD", **offer}
    return publish_listing(db, actor=acting_mentor(owner), offer=columns)


def make_booking(
    db: Connection,
    *,
    listing: Listing | None = None,
    mentee: User | None = None,
    start_time: datetime | None = None,
    **words: Any,
) -> Booking:
    """A booking: a draft, or accepted at once for an instant listing."""
    return request(
        db,
        actor=acting_user(mentee or make_user(db)),
        listing_id=(listing or make_listing(db)).id,
        start_time=start_time or next_slot(),
        now=datetime.now(UTC),
        **words,
    )


def accept_booking(db: Connection, booking: Booking) -> Booking:
    """The booking, accepted by its mentor; its session is left to the effect."""
    return accept(db, actor=mentor_of(booking), booking=booking, now=datetime.now(UTC))


def make_prepaid_booking(
    db: Connection, *, listing: Listing | None = None, mentee: User | None = None, start_time: datetime | None = None
) -> Booking:
    """A booking that awaits its payment, of a listing that is paid before whatever it says itself."""
    offer = listing or make_listing(db)
    begin = start_time or next_slot()
    calendar = select(mentor_profiles.c.calendar_version).where(mentor_profiles.c.id == offer.mentor_profile_id)
    booking = insert_booking(
        db,
        {"listing_id": offer.id, "mentee_user_id": (mentee or make_user(db)).id},
        replace(offer, payment_mode=PaymentMode.BEFORE),
        mentor_profile_id=offer.mentor_profile_id,
        start_time=begin,
        end_time=begin + timedelta(minutes=offer.duration_minutes),
        accepted=True,
        calendar_version=db.scalar(calendar),
    )
    assert booking.mentee_user_id is not None
    payer = Actor.person(booking.mentee_user_id, None)
    return await_payment(db, [booking], actor=payer, now=datetime.now(UTC), pay_within=PAY_WITHIN)[0]


def make_payment(db: Connection, **booked: Any) -> Payment:
    """The payment of a prepaid booking, paid, with one refund that is due."""
    payment = make_prepaid_booking(db, **booked).payment
    assert payment is not None
    given: dict[str, Any] = {"actor": OPERATOR, "currency": payment.currency, "now": datetime.now(UTC)}
    paid = confirm(db, payment=payment, reference=f"pi_{payment.id}", amount=payment.amount, **given)
    return grant_refund(db, payment=paid, amount=1, reason="Goodwill", **given)


def make_session(
    db: Connection,
    *,
    listing: Listing | None = None,
    mentee: User | None = None,
    accepted_before: timedelta = timedelta(0),
) -> Session:
    """The scheduled session of a booking, accepted so long ago, that starts within the next hours."""
    booking = accept_booking(db, make_booking(db, listing=listing, mentee=mentee))
    created = create(db, booking_id=booking.id)
    if accepted_before:
        accepted = sessions.c.created_at - accepted_before
        db.execute(update(sessions).where(sessions.c.id == created.id).values(created_at=accepted))
    return Session.of(db.execute(session_query(created.id)).one())


def start_session(db: Connection, session: Session) -> Session:
    """The session in progress, started by its mentor before its time."""
    return start(db, actor=mentor_of(session), session=session, early_start_minutes=None, now=datetime.now(UTC))


def complete_session(db: Connection, session: Session, *, at: datetime | None = None) -> Session:
    """The session completed by its mentor; what follows from that is left to the effects."""
    started = session if session.status == "in_progress" else start_session(db, session)
    return complete(db, actor=mentor_of(session), session=started, now=at or datetime.now(UTC))


def make_permit(
    db: Connection, *, listing: Listing | None = None, mentee: User | None = None, at: datetime | None = None
) -> Permit:
    """A permit to review a session that was completed at that time, now unless said otherwise."""
    session = complete_session(db, make_session(db, listing=listing, mentee=mentee), at=at)
    assert session.mentee_user_id is not None
    return unlock_review(db, session, session.mentee_user_id)


def unlock_review(db: Connection, session: Session, mentee_user_id: UUID) -> Permit:
    """A mentee's permit to review a completed session; every other participant gets one too."""
    assert session.completed_at is not None
    event = SessionCompleted.about(replace(session, mentee_user_id=None), actor=SYSTEM, now=session.completed_at)
    unlock_all(db, [(event, session.completed_at)])
    return Permit.of(db.execute(permit_query(session.id, mentee_user_id)).one())


def make_review(db: Connection, permit: Permit | None = None, *, rating: int = 5, comment: str | None = None) -> Review:
    """A review of a new session, unless a permit is given."""
    used = permit or make_permit(db)
    session = ReviewableSession.of(db.execute(reviewable_query(used.session_id)).one())
    reviewer = Actor.person(used.mentee_user_id, None)
    return submit(db, actor=reviewer, session=session, rating=rating, comment=comment, now=used.unlocked_at)


def make_event(db: Connection) -> Event:
    """An event that has just happened, about ids that exist nowhere; a test adds its deliveries."""
    now = datetime.now(UTC)
    event = ReviewUnlocked(
        actor="system",
        occurred_at=now,
        session_id=uuid4(),
        booking_id=uuid4(),
        mentor_profile_id=uuid4(),
        mentee_user_id=uuid4(),
        expires_at=now,
    )
    record(db, event)
    return event


def make_webhook(db: Connection, event: Event, endpoint_id: UUID) -> None:
    """A pending webhook of an event, whether or not the endpoint listens for it."""
    follow_up(db, event, SEND_WEBHOOK, [str(endpoint_id)])
    of_event = (deliveries.c.event_id == event.id, deliveries.c.target == str(endpoint_id))
    db.execute(update(deliveries).where(*of_event).values(endpoint_id=endpoint_id))


def make_group_session(db: Connection, mentees: Sequence[User], *, listing: Listing | None = None) -> Session:
    """The scheduled session of a group of these people."""
    return create(db, booking_id=make_group(db, mentees, listing=listing).id)


def make_group(
    db: Connection,
    mentees: Sequence[User],
    *,
    listing: Listing | None = None,
    start_time: datetime | None = None,
    capacity: int | None = None,
    may_overlap: bool = False,
) -> Booking:
    """The accepted booking of a group of these people by a listing's terms, without any event.

    It has one seat more than they take, unless a capacity is given.

    Args:
        may_overlap: whether these people may attend other sessions at the time, as under `MENTEE_OVERLAP`.
    """
    offer, begin = listing or make_listing(db), start_time or next_slot()
    template_id = _make_template(db, offer)
    price = {"price_amount": offer.price_amount, "price_currency": offer.price_currency}
    group = insert_booking(
        db,
        {"course_id": offer.course_id, "title": offer.title},
        offer,
        mentor_profile_id=offer.mentor_profile_id,
        start_time=begin,
        end_time=begin + timedelta(minutes=offer.duration_minutes),
        kind=BookingKind.GROUP,
        accepted=True,
    )
    seats = {"capacity": capacity or len(mentees) + 1, "seats_taken": len(mentees)}
    db.execute(
        insert(group_sessions).values(booking_id=group.id, template_id=template_id, occurs_on=begin.date(), **seats)
    )
    for mentee in mentees:
        db.execute(
            insert(booking_participants).values(booking_id=group.id, user_id=mentee.id, seat_id=uuid4(), **price)
        )
        busy = func.tstzrange(group.start_time, group.end_time)
        block = {"user_id": mentee.id, "busy": busy, "booking_id": group.id, "may_overlap": may_overlap}
        db.execute(insert(person_busy).values(id=uuid4(), **block))
    return group


def _make_template(db: Connection, offer: Listing) -> UUID:
    """The weekly template of a group with a listing's mentor, course and price."""
    template = {
        "id": uuid4(),
        "mentor_profile_id": offer.mentor_profile_id,
        "course_id": offer.course_id,
        "title": offer.title,
        "weekday": 0,
        "start_time": time(9),
        "time_zone": "UTC",
        "duration_minutes": offer.duration_minutes,
        "capacity": 1000,
        "price_amount": offer.price_amount,
        "price_currency": offer.price_currency,
    }
    db.execute(insert(group_session_templates).values(template))
    return UUID(str(template["id"]))


def make_calendar_feed(
    db: Connection, mentor: Mentor, busy: Sequence[tuple[datetime, datetime]] = (), *, url: str | None = None
) -> CalendarFeed:
    """An outside calendar of a mentor that has just been read, and has these times."""
    owner = CalendarOwner.of(db.execute(calendar_owner_query(mentor.id)).one())
    now, address = datetime.now(UTC), url or f"https://calendar.example/{uuid4()}.ics"
    actor = acting_mentor(mentor)
    feed = add_feed(
        db, actor=actor, mentor=owner, url=address, name=None, seal=lambda plain: f"sealed {plain}", now=now
    )
    read_calendar(db, feed, busy)
    return CalendarFeed.of(db.execute(feed_query(mentor.id, feed.id)).one())


def read_calendar(db: Connection, feed: CalendarFeed, busy: Sequence[tuple[datetime, datetime]]) -> None:
    """Keep these times of an outside calendar, as after it has been read."""
    now = datetime.now(UTC)
    row = db.execute(FEEDS_TO_READ, {"ids": [feed.id]}).one()
    copy = CalendarCopy(busy=busy, named={}, etag=None, last_modified=None, content_digest=uuid4().bytes * 2)
    again_at = now + timedelta(minutes=15)
    keep_answer(db, request_for(row, policy=DEFAULT_POLICY, now=now), copy, next_fetch_at=again_at, now=now)


def make_course(db: Connection, *, title: str = "Linear algebra I") -> Course:
    """A course of the catalogue."""
    return create_course(db, actor=OPERATOR, title=title)


def make_product(
    db: Connection, course: Course, kind: ProductKind = ProductKind.SINGLE, *, active: bool = True, **columns: Any
) -> Product:
    """A product of a course for 40 dollars, of any duration: a single session unless said otherwise."""
    sold = {"title": "A session", "price_amount": 4000, "price_currency": "USD", "active": active, **columns}
    return create_product(db, actor=OPERATOR, course_id=course.id, kind=kind, **sold)


def deactivate(engine: Engine, mentor: Mentor, *, active: bool = False) -> None:
    """Make a mentor's profile inactive, or active again."""
    with engine.begin() as db:
        db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(active=active))


def make_bundle(
    db: Connection,
    *,
    course: Course | None = None,
    mentee: User | None = None,
    at: datetime | None = None,
    **product: Any,
) -> Bundle:
    """A bundle of five sessions that a mentee bought now, or at that time; `product` are columns of its product."""
    owner, of = mentee or make_user(db), course or make_course(db)
    sold = make_product(db, of, ProductKind.BUNDLE, **{"session_count": 5, **product})
    return purchase(
        db,
        actor=acting_user(owner),
        course_id=of.id,
        product_id=sold.id,
        mentee_user_id=owner.id,
        now=at or datetime.now(UTC),
    )


def make_paid_booking(
    db: Connection,
    bundle: Bundle,
    *,
    listing: Listing | None = None,
    start_time: datetime | None = None,
    accepted: bool = True,
    at: datetime | None = None,
) -> Booking:
    """An individual booking that a credit of a bundle pays for, now or at that time: accepted at once, or a draft."""
    offer = listing or make_listing(db, course_id=bundle.course_id)
    begin, now = start_time or next_slot(), at or datetime.now(UTC)
    mentee = Actor.person(bundle.mentee_user_id, None)
    calendar = select(mentor_profiles.c.calendar_version).where(mentor_profiles.c.id == offer.mentor_profile_id)
    booking = insert_booking(
        db,
        {
            "listing_id": offer.id,
            "mentee_user_id": bundle.mentee_user_id,
            "course_id": offer.course_id,
            "price_amount": 0,
            "bundle_purchase_id": bundle.id,
        },
        offer,
        mentor_profile_id=offer.mentor_profile_id,
        start_time=begin,
        end_time=begin + timedelta(minutes=offer.duration_minutes),
        accepted=accepted,
        calendar_version=db.scalar(calendar),
    )
    spend(
        db,
        bundle_purchase_id=bundle.id,
        mentee_user_id=bundle.mentee_user_id,
        course_id=offer.course_id,
        duration_minutes=offer.duration_minutes,
        booking_id=booking.id,
        actor=mentee,
        now=now,
    )
    record(db, (BookingAccepted if accepted else BookingRequested).about(booking, actor=mentee, now=now))
    return booking


def listing_of(db: Connection, session: Session) -> Listing:
    """The listing that a session was booked on."""
    booked = select(bookings.c.listing_id).where(bookings.c.id == session.booking_id).scalar_subquery()
    return Listing.of(db.execute(Listing.query().where(listings.c.id == booked)).one())


def acting_user(user: User) -> Actor:
    """The user, acting for themselves."""
    return Actor.person(user.id, None)


def acting_mentor(mentor: Mentor) -> Actor:
    """The mentor, acting as such."""
    return Actor.person(mentor.user_id, mentor.id)


def mentor_of(booking: HasMentor) -> Actor:
    """The mentor of a booking or session, acting as such."""
    return Actor.person(uuid4(), booking.mentor_profile_id)
