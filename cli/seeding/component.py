"""The people of the demo pages of the booking component: a mentor with hours and offers of every kind, and a mentee."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select

from api.pages.demo.people import MENTEE_EMAIL, MENTOR_EMAIL
from cli.seeding.bookings import EffectRunner, Outcome, Parties, PlannedBooking, carry_out
from cli.seeding.courses import GroupPlan, add_course, add_mentor, add_person, schedule_group
from cli.seeding.people import COURSES, PlannedMentor, PlannedPerson
from config.sealing import Sealer, use_sealer
from config.settings import settings
from models.catalog import BookingMode, ProductKind, courses, products
from models.people import users
from workflows.availability.dates import CalendarOwner, calendar_owner_query
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.bundles.purchase import purchase
from workflows.identity.actor import Actor
from workflows.sessions.time_off import take_time_off

ZONE = ZoneInfo("Europe/Berlin")
COURSE, COURSE_DESCRIPTION = COURSES["interviews"]
INTRODUCTION, INTERVIEW, COACHING = "A first conversation", "Mock interview", "Career coaching"
_TERMS: dict[str, Any] = {
    "early_start_minutes": 15,
    "cancellation_window_hours": 24,
    "late_fee_percent": 50,
    "location": {"kind": "online"},
}
# One at no price, one that is booked at once, one on request, and one of a course.
OFFERS: tuple[dict[str, Any], ...] = (
    {
        "title": INTRODUCTION,
        "description": "Fifteen minutes to find out whether we fit. Bring one question.",
        "duration_minutes": 15,
        "price_amount": 0,
        "price_currency": "EUR",
        "booking_mode": BookingMode.INSTANT,
    },
    {
        "title": INTERVIEW,
        "description": "We play the interview as it will be, then go through what was said.",
        "duration_minutes": 60,
        "price_amount": 8_500,
        "price_currency": "EUR",
        "booking_mode": BookingMode.INSTANT,
        "min_notice_minutes": 60,
        "buffer_minutes": 15,
    },
    {
        "title": COACHING,
        "description": "For the large questions. I read what you send me, and answer within a day.",
        "duration_minutes": 45,
        "price_amount": 7_000,
        "price_currency": "EUR",
        "booking_mode": BookingMode.REQUEST,
        "min_notice_minutes": 720,
    },
)
OF_COURSE: dict[str, Any] = {
    "title": f"{COURSE}: individual session",
    "description": "One session of the course, with you alone.",
    "duration_minutes": 60,
    "price_amount": 6_000,
    "price_currency": "EUR",
    "booking_mode": BookingMode.INSTANT,
}
# By these, the mentee has reviewed the first session.
WORDS = 119
# Monday to Friday with a break at noon, and a Saturday morning.
HOURS = (
    *(Span(day, opens * 60, closes * 60) for day in range(5) for opens, closes in ((9, 12), (13, 18))),
    Span(5, 10 * 60, 13 * 60),
)


def add_demo_people(engine: Engine, *, now: datetime) -> int:
    """Add the people of the demo with their rows, in one transaction, unless they exist.

    Args:
        now: the present, UTC.

    Returns:
        how many people were added.
    """
    use_sealer(Sealer(settings().encryption_keys))
    with engine.begin() as db:
        if db.scalar(select(users.c.id).where(func.lower(users.c.email) == MENTOR_EMAIL)) is not None:
            return 0
        play_demo(db, now=now)
    return 3


def play_demo(db: Connection, *, now: datetime) -> None:
    """Make the people, their listings and their bookings."""
    known = db.scalar(select(courses.c.id).where(courses.c.title == COURSE).order_by(courses.c.id).limit(1))
    course_id = known or add_course(db, COURSE, COURSE_DESCRIPTION)
    of_course = {**OF_COURSE, "course_id": course_id}
    made = add_mentor(db, _mentor(MENTOR_EMAIL, "Maya Lindqvist", [*OFFERS, of_course]), now=now)
    mentor = made.actor
    # Another one of the same course, so that it can choose.
    second = _mentor("demo.assistant@mail.example", "Tomás Okafor", [of_course])
    assistant = add_mentor(db, second, now=now).actor
    mentee = add_person(db, PlannedPerson(MENTEE_EMAIL, "Ada Brandt", ZONE.key), now=now)
    _carry_out(db, mentee, mentor, made.listings, now)
    for actor in (mentor, assistant):
        _open(db, actor, now)
    _take_a_day_off(db, mentor, now)
    _buy_sessions(db, mentee, course_id, now)
    group = GroupPlan(assistant, course_id, COURSE, ZONE.key)
    schedule_group(db, group, now=now)


def _mentor(email: str, name: str, offers: Sequence[dict[str, Any]]) -> PlannedMentor:
    return PlannedMentor(
        person=PlannedPerson(email, name, ZONE.key),
        headline="Engineering manager, 12 years",
        bio="I ask more than I tell, and write down what we agreed on.",
        skills=["interviews", "careers", "leadership"],
        offers=[_TERMS | offer for offer in offers],
        languages=("en", "de"),
    )


def _carry_out(db: Connection, mentee: Actor, mentor: Actor, offered: dict[str, UUID], now: datetime) -> None:
    """A session that is completed, one that is ahead, and a request that waits for its mentor."""
    for outcome, title, days, minutes in (
        (Outcome.COMPLETED, INTERVIEW, -7, 60),
        (Outcome.SCHEDULED, INTERVIEW, 3, 60),
        (Outcome.DRAFT, COACHING, 5, 45),
    ):
        start = _workday(now, days, time(10))
        requested = min(start, now) - timedelta(hours=30)
        decided = requested + timedelta(hours=2)
        plan = PlannedBooking(outcome, 0, title, start, start + timedelta(minutes=minutes), requested, decided, WORDS)
        carry_out(db, plan, Parties(mentee, mentor, offered[title]), now=now)


def _open(db: Connection, mentor: Actor, now: datetime) -> None:
    assert mentor.mentor_profile_id is not None
    seen = WeeklyHours.of(db.execute(weekly_hours_query(mentor.mentor_profile_id)).one())
    set_hours(db, actor=mentor, seen=seen, spans=HOURS, time_zone=ZONE.key, now=now)
    EffectRunner(db, now).run_immediate()


def _take_a_day_off(db: Connection, mentor: Actor, now: datetime) -> None:
    assert mentor.mentor_profile_id is not None
    owner = CalendarOwner.of(db.execute(calendar_owner_query(mentor.mentor_profile_id)).one())
    start = _workday(now, 8, time(0))
    take_time_off(
        db,
        actor=mentor,
        mentor=owner,
        start_time=start,
        end_time=start + timedelta(days=1),
        reason=None,
        cancel_sessions=False,
        now=now,
    )
    EffectRunner(db, now).run_immediate()


def _buy_sessions(db: Connection, mentee: Actor, course_id: UUID, now: datetime) -> None:
    bundle = (products.c.course_id == course_id) & (products.c.kind == ProductKind.BUNDLE) & products.c.active
    product_id = db.scalars(select(products.c.id).where(bundle).order_by(products.c.id).limit(1)).one()
    assert mentee.user_id is not None
    purchase(db, actor=mentee, course_id=course_id, product_id=product_id, mentee_user_id=mentee.user_id, now=now)
    EffectRunner(db, now).run_immediate()


def _workday(now: datetime, days: int, at: time) -> datetime:
    """So many days from now, or the Monday after where that is a weekend; in the past the Friday before."""
    day = (now + timedelta(days=days)).astimezone(ZONE).date()
    while day.weekday() > 4:
        day += timedelta(days=1 if days > 0 else -1)
    return datetime.combine(day, at, tzinfo=ZONE).astimezone(UTC)
