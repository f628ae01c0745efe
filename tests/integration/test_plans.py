"""Tests of plans: whatever is asked of large tables on a hot path finds its rows by an index, for any parameters."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, ClauseElement, Column, Connection, Engine, Enum, Table, Uuid, bindparam, event, text
from sqlalchemy.dialects.postgresql import JSONB

from api.http import idempotency
from api.routes.declaration import declaration_of
from models.audit import audit_entries
from models.availability import (
    availability_rules,
    booking_rules,
    calendar_feeds,
    date_hours,
    outside_busy,
    time_off,
    weekly_hours,
)
from models.bookings import BookingKind, BookingStatus, booking_participants, bookings
from models.bundles import bundle_entries, bundle_purchases
from models.calendar import person_busy
from models.catalog import courses, listings, products
from models.engine import create, driver_of
from models.events import DeliveryState, deliveries, events
from models.groups import group_sessions, waitlist_entries
from models.idempotency import idempotency_keys
from models.links import spent_links
from models.notifications import notifications, push_subscriptions
from models.people import email_changes, mentor_profiles, skills, users
from models.prepared import PreparedStatement, observe_prepared
from models.reviews import review_permits, reviews
from models.sessions import SessionStatus, sessions
from models.webhooks import deleted_webhook_endpoints, webhook_endpoints
from tests import servers
from tests.application import World
from tests.integration.harness import without_guards
from workflows.accounts.email_change import CLOSE_EMAIL_CHANGE, FORGET_EMAIL_CHANGES, RECENT_CHANGES
from workflows.accounts.records import user_query
from workflows.action_links.link import FORGET_SPENT_LINKS, HOLDER_OF_LINK, SPENT_LINK
from workflows.audit.chain import NEXT_ENTRIES, OLDEST_UNCHAINED
from workflows.audit.log import AUDIT_ENTRIES
from workflows.availability.calendar import BLOCKS, BLOCKS_WITHOUT_BOOKINGS, CALENDARS
from workflows.availability.dates import DATES
from workflows.availability.feed_reading import DELETE_TIMES, FEEDS_TO_READ, INSERT_TIMES, OWN_BOOKINGS
from workflows.availability.feed_reading import END_HOLDS as END_HOLDS_ELSEWHERE
from workflows.availability.feeds import FEEDS
from workflows.availability.slots import OF_COURSE, OF_LISTING, OF_LISTING_OF_COURSE, OF_MENTOR, OWN_TIME
from workflows.bookings.actions import BOOKING_MACHINE
from workflows.bookings.candidates import OFFER_OF_MENTOR, OFFERS_OF_COURSE
from workflows.bookings.direct import LISTING_OF_DURATION, LISTING_OF_ID
from workflows.bookings.holds import DELETE_EXPIRED_HOLDS, RELEASE_HOLD, TAKE_HOLD
from workflows.bookings.individual import NAMED, ONLY_PRODUCT, PRODUCT
from workflows.bookings.insert import ACCEPTED, DRAFT
from workflows.bookings.records import BOOKINGS, NEXT_BOOKINGS, narrow_bookings
from workflows.bookings.series import DRAFTS_OF_SERIES
from workflows.bundles.records import BUNDLES
from workflows.catalog.courses import COURSES, FOUND_COURSES
from workflows.catalog.listings import BOOKABLE, LISTINGS
from workflows.catalog.mentors import SKILLS, MentorSort, mentors_list, offers_statement
from workflows.catalog.products import PRODUCTS
from workflows.events import store
from workflows.events.delivery import Attempt, Delivery, DeliveryKey
from workflows.events.record import recording
from workflows.groups.records import GROUPS
from workflows.groups.support_options import OFFERS
from workflows.identity.actor import ACTIVE_MENTOR, MENTOR, USER
from workflows.invariants import About, check_part, continuous, names
from workflows.kernel.paging import PagedList
from workflows.kernel.quotas import FORGET_UNUSED
from workflows.notifications.gathering import HOLD
from workflows.notifications.mails import MAILS
from workflows.notifications.push_subscriptions import BROWSERS
from workflows.notifications.records import NOTIFICATIONS
from workflows.operators.deliveries import DELIVERIES
from workflows.reviews.permits import OPEN_PERMITS
from workflows.reviews.records import REVIEWS_OF_MENTOR
from workflows.sessions.actions import SESSION_MACHINE
from workflows.sessions.records import NEXT_SESSIONS, SESSION, SESSION_WITH_TERMS, SESSIONS, narrow_sessions
from workflows.sessions.series import SESSIONS_OF_SERIES
from workflows.sessions.time_off import END_HOLDS, IN_THE_WAY, TIME_OFF
from workflows.streams.changes import BUSY_TIMES, EVENTS_AFTER, LAST_EVENT_READ, OPEN_SESSIONS
from workflows.webhooks.deliveries import FAN_OUT_ROWS as ROWS_OF_LISTENERS
from workflows.webhooks.deliveries import WEBHOOK_DELIVERIES
from workflows.webhooks.records import ENDPOINTS

ROWS = 20_000
OWNERS = 400
# All combinations of more filters would take half a minute of the processor.
MANY_FILTERS = 5
LARGE: dict[Table, dict[str, str]] = {
    users: {"email": "n || '@example.org'"},
    mentor_profiles: {"user_id": "{n}", "search": "search_vector('mentor x' || n)"},
    skills: {},
    courses: {"search": "search_vector('course x' || n)"},
    products: {"price_currency": "'USD'", "course_id": "{owner}"},
    listings: {"price_currency": "'USD'", "duration_minutes": "60", "course_id": "md5((n % 399)::text)::uuid"},
    bookings: {"end_time": "now() + (n + 60) * interval '1 minute'", "mentee_user_id": "{owner}", "listing_id": "{n}"},
    booking_participants: {},
    person_busy: {
        "booking_id": "{n}",
        "mentor_profile_id": "{owner}",
        "user_id": "{owner}",
        "busy": "tstzrange(now() + n * interval '1 hour', now() + (n + 1) * interval '1 hour')",
    },
    # The present hours of each mentor, and those that were before.
    weekly_hours: {
        "revision": "n",
        "until": f"CASE WHEN n > {OWNERS} THEN now() + (n + 1) * interval '1 minute' END",
    },
    availability_rules: {"closes": "2"},
    date_hours: {
        "mentor_profile_id": "{owner}",
        "day": "current_date + n",
        "time_zone": "'UTC'",
        "spans": "'[]'::jsonb",
    },
    time_off: {"end_time": "now() + (n + 60) * interval '1 minute'"},
    booking_rules: {},
    calendar_feeds: {"url_digest": "sha256(n::text::bytea)"},
    outside_busy: {
        "calendar_feed_id": "{n}",
        "busy": "tstzrange(now() + n * interval '1 hour', now() + (n + 1) * interval '1 hour')",
    },
    group_sessions: {"template_id": "{n}"},
    waitlist_entries: {"booking_id": "{n}", "user_id": "{owner}"},
    sessions: {"booking_id": "{n}", "mentee_user_id": "{owner}"},
    events: {"type": "'a.' || n % 50", "subject_id": "{n}"},
    # The few that are not done are what operators look for.
    deliveries: {
        "id": "{n}",
        "event_id": "{n}",
        "effect": "CASE WHEN n % 3 = 0 THEN 'webhooks.send' ELSE 'reviews.unlock' END",
        "endpoint_id": "{owner}",
        "state": "(CASE WHEN n % 100 = 0 THEN 'dead' WHEN n % 100 = 1 THEN 'cancelled' WHEN n % 100 = 2"
        " THEN 'pending' ELSE 'done' END)::delivery_state",
        "done_at": "CASE WHEN n % 100 < 3 THEN NULL ELSE now() END",
    },
    notifications: {
        "event_id": "{n}",
        "user_id": "{owner}",
        "read_at": "CASE WHEN n % 10 = 0 THEN NULL ELSE now() END",
    },
    push_subscriptions: {"user_id": "{owner}"},
    webhook_endpoints: {"mentor_profile_id": "{owner}", "url": "'https://' || n"},
    deleted_webhook_endpoints: {"mentor_profile_id": "{owner}"},
    review_permits: {"session_id": "{n}", "mentee_user_id": "{owner}", "expires_at": "now() + interval '30 years'"},
    reviews: {"session_id": "{n}", "mentor_profile_id": "{owner}"},
    bundle_purchases: {"product_id": "{n}"},
    bundle_entries: {"kind": "'spend'", "credits": "-1", "booking_id": "{n}", "seat_id": "{n}"},
    audit_entries: {"subject_id": "{n}", "actor": "'operator:' || n % 400", "action": "'a' || n % 50"},
    idempotency_keys: {"expires_at": "now() + interval '3 days'"},
    spent_links: {"expires_at": "now() + (n % 50) * interval '1 minute'"},
    email_changes: {
        "email": "n || '@example.org'",
        "open": "n % 50 = 0",
        "user_id": "{n}",
        "expires_at": "now() + n * interval '1 minute'",
    },
}
# Rows of a partitioned table lie in its partitions: those whose ids are made up, in the default one.
LARGE_NAMES = {table.name for table in LARGE} | {"audit_entries_default"}
SOME_ID = UUID(int=7)
OFFER: dict[str, Any] = {"skills": ["go"], "max_price": 1, "currency": "USD", "duration_minutes": 60}

NARROWED = {
    "from_time": 1,
    "to_time": 1,
    "updated_since": 1,
    "listing_id": SOME_ID,
    "course_id": SOME_ID,
    "with_user_id": SOME_ID,
}

AUDIT_RESULTS: dict[str, dict[str, Any]] = {
    "all": {},
    "what was done": {"refused": False},
    "refusals": {"refused": True, "result": "forbidden"},
}

# Each list with the filters that it always has, and with those that a caller may add to them.
LISTS: dict[str, tuple[PagedList[Any], dict[str, Any], dict[str, Any]]] = {
    **{
        f"{name} as {role}": (
            paged,
            {column: SOME_ID},
            {"status": BookingStatus.DRAFT, "kind": BookingKind.INDIVIDUAL, **NARROWED},
        )
        for name, paged in (("bookings", BOOKINGS), ("next bookings", NEXT_BOOKINGS))
        for role, column in (("mentee", "mentee_user_id"), ("mentor", "mentor_profile_id"))
    },
    "bookings": (
        BOOKINGS,
        {"mentee_user_id": SOME_ID, "mentor_profile_id": SOME_ID},
        {"status": BookingStatus.DRAFT, "from_time": 1},
    ),
    **{
        f"{name} of {party}": (
            paged,
            {party: SOME_ID},
            {"status": SessionStatus.SCHEDULED, "kind": BookingKind.GROUP, **NARROWED},
        )
        for name, paged in (("sessions", SESSIONS), ("next sessions", NEXT_SESSIONS))
        for party in ("mentee_user_id", "mentor_profile_id")
    },
    "mentors": (mentors_list(None, searched=False), {}, OFFER | {"course_id": SOME_ID}),
    "mentors with words": (mentors_list(None, searched=True), {"q": "go"}, OFFER | {"course_id": SOME_ID}),
    **{
        f"mentors by {sort}": (
            mentors_list(sort, searched=False),
            {},
            OFFER | {"course_id": SOME_ID, "q": "go"},
        )
        # By the next slot, mentors are read by their rating, too.
        for sort in (MentorSort.RATING, MentorSort.PRICE)
    },
    "skills": (SKILLS, {}, {}),
    "courses": (COURSES, {}, OFFER),
    "courses with words": (FOUND_COURSES, {"q": "go"}, OFFER),
    "products of a course": (PRODUCTS, {"course_id": SOME_ID}, {"active": True}),
    "dates of a mentor": (DATES, {"mentor_profile_id": SOME_ID}, {"from_day": 1, "to_day": 1}),
    "time off of a mentor": (TIME_OFF, {"mentor_profile_id": SOME_ID}, {"from_time": 1, "to_time": 1}),
    "listings": (LISTINGS, {}, {"mentor_profile_id": SOME_ID, "course_id": SOME_ID}),
    "group sessions": (
        GROUPS,
        {"from_time": 1},
        {"user_id": SOME_ID, "course_id": SOME_ID, "mentor_profile_id": SOME_ID, "open_at": 1, "to_time": 1},
    ),
    "closed group sessions": (GROUPS, {"closed_at": 1}, {"course_id": SOME_ID, "mentor_profile_id": SOME_ID}),
    "notifications": (NOTIFICATIONS, {"user_id": SOME_ID}, {"unread": True}),
    "browsers": (BROWSERS, {"user_id": SOME_ID}, {}),
    "outside calendars": (FEEDS, {"mentor_profile_id": SOME_ID}, {}),
    "bundles": (BUNDLES, {}, {"mentee_user_id": SOME_ID}),
    "permits": (OPEN_PERMITS, {"mentee_user_id": SOME_ID, "now": 1}, {}),
    "reviews of a mentor": (REVIEWS_OF_MENTOR, {"mentor_profile_id": SOME_ID}, {"also_hidden_of": SOME_ID}),
    "reviews of a session": (
        REVIEWS_OF_MENTOR,
        {"mentor_profile_id": SOME_ID, "session_id": SOME_ID},
        {"also_hidden_of": SOME_ID, "mentee_user_id": SOME_ID},
    ),
    "endpoints of a mentor": (ENDPOINTS, {"mentor_profile_id": SOME_ID}, {}),
    "endpoints of operators": (ENDPOINTS, {}, {}),
    "webhook deliveries of a mentor": (
        WEBHOOK_DELIVERIES,
        {"mentor_profile_id": SOME_ID, "of_any_owner": False},
        {"endpoint_id": SOME_ID, "state": DeliveryState.DEAD},
    ),
    "webhook deliveries of an endpoint": (
        WEBHOOK_DELIVERIES,
        {"of_any_owner": True, "endpoint_id": SOME_ID},
        {"state": DeliveryState.DONE},
    ),
    **{f"{state} deliveries": (DELIVERIES, {"state": state}, {"effect": "reviews.unlock"}) for state in DeliveryState},
    "deliveries": (DELIVERIES, {}, {"effect": "reviews.unlock"}),
    **{
        f"audit of {results}": (
            AUDIT_ENTRIES,
            always,
            {"actor": "a", "action": "b", "subject_id": SOME_ID, "from_id": SOME_ID, "from_time": 1}
            | {"to_id": SOME_ID, "to_time": 1},
        )
        for results, always in AUDIT_RESULTS.items()
    },
}
STATEMENTS: dict[str, ClauseElement] = {
    "the caller as a user": USER.query,
    "the caller as a mentor": MENTOR.query,
    "a mentor to be watched": ACTIVE_MENTOR.query,
    "a user": user_query(bindparam("user_id", type_=Uuid)),
    "a used link": SPENT_LINK,
    "the user of a link": HOLDER_OF_LINK,
    "used links to be forgotten": FORGET_SPENT_LINKS,
    "what a user has entered lately": RECENT_CHANGES,
    "an address to be confirmed": CLOSE_EMAIL_CHANGE,
    "addresses to be forgotten": FORGET_EMAIL_CHANGES,
    "the listing of a request": BOOKABLE.query,
    "who teaches a course": OFFERS,
    "the listing of a duration": LISTING_OF_DURATION,
    "the listing of a mentor": LISTING_OF_ID,
    "the session that is waited for": SESSION,
    "what an individual booking names": NAMED,
    "the product that pays for it": PRODUCT,
    "the only product of its course": ONLY_PRODUCT,
    "the listing of its mentor": OFFER_OF_MENTOR,
    "the mentors to choose from": OFFERS_OF_COURSE,
    "the calendars of slots": CALENDARS,
    "the blocks of slots": BLOCKS,
    "the outside calendars to read": FEEDS_TO_READ,
    "the bookings in an outside calendar": OWN_BOOKINGS,
    "the times that are gone from it": DELETE_TIMES,
    "the times that are new in it": INSERT_TIMES,
    "the holds at these times": END_HOLDS_ELSEWHERE,
    "the sessions of a series": SESSIONS_OF_SERIES,
    "the drafts of a series": DRAFTS_OF_SERIES,
    "the session of an accepted booking": SESSION_WITH_TERMS,
    "offers of mentors": offers_statement(frozenset({"course_id", "duration_minutes"})).query,
    "calendars of mentors": CALENDARS,
    "blocks of mentors": BLOCKS,
    "blocks of mentors, without bookings": BLOCKS_WITHOUT_BOOKINGS,
    "what a mentor offers": OF_MENTOR.of_duration,
    "the shortest that a mentor offers": OF_MENTOR.of_shortest,
    "what is offered of a course": OF_COURSE.of_duration,
    "the shortest that is offered of a course": OF_COURSE.of_shortest,
    "an offered listing": OF_LISTING.of_duration,
    "an offered listing of any length": OF_LISTING.of_shortest,
    "an offered listing of a course": OF_LISTING_OF_COURSE.of_duration,
    "an offered listing of a course, of any length": OF_LISTING_OF_COURSE.of_shortest,
    "a mentee's own time": OWN_TIME,
    "sessions in the way of time off": IN_THE_WAY,
    "holds in time off": END_HOLDS,
    "a new hold": TAKE_HOLD,
    "a released hold": RELEASE_HOLD,
    "expired holds": DELETE_EXPIRED_HOLDS,
    "busy times": BUSY_TIMES,
    "a caller's open sessions": OPEN_SESSIONS,
    "an earlier answer": idempotency.EARLIER,
    "a caller's stored answers": idempotency.STORED,
    "quotas that are unused": FORGET_UNUSED,
    "what follows from an event": recording(ROWS_OF_LISTENERS).query,
    "mails to be sent": MAILS,
    "mails to be held": HOLD,
    "what follows from a request's event": recording(ROWS_OF_LISTENERS, audited=True).query,
    "entries to be chained": NEXT_ENTRIES,
    "the oldest entry that is not chained": OLDEST_UNCHAINED,
}


@contextmanager
def filled_once(name: str, template: str, statements: Iterable[str]) -> Iterator[Connection]:
    """A connection to a database of these tests alone: no other test's rows are in its statistics.

    What fills it is committed. A transaction that has written and stays open would hold up the live updates of every
    other test: changes are handed on in the order of transactions, and these are counted by the whole server.
    """
    with servers.temporary_database(name, template) as address:
        engine = create(address)
        with engine.connect() as db:
            db.exec_driver_sql("SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = 0")
            # An index has to be the better way by itself.
            db.exec_driver_sql("SET enable_seqscan = on")
            db.commit()
            for statement in statements:
                with db.begin(), without_guards(db):
                    driver_of(db).execute(statement)
            # As PostgreSQL does by itself after a minute: what is planned must not depend on when that is.
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuuming:
                vacuuming.exec_driver_sql("VACUUM")
            yield db
        engine.dispose()


@pytest.fixture(scope="module")
def large(worker_id: str, template_database: str) -> Iterator[Connection]:
    """A connection to large tables, which are only read."""
    filling_each = (f"{filling(table, chosen)}; ANALYZE {table.name}" for table, chosen in LARGE.items())
    with filled_once(f"tutelage_large_{worker_id}", template_database, filling_each) as db:
        yield db


def filling(table: Table, chosen: dict[str, str]) -> str:
    """The statement that fills a table; what is not chosen for a column follows from its type."""
    columns = [
        column
        for column in table.columns
        if column.name in chosen or not (column.nullable or column.server_default or column.identity)
    ]
    values = [chosen.get(column.name) or usual(column) for column in columns]
    words = {"n": "md5(n::text)::uuid", "owner": f"md5((n % {OWNERS})::text)::uuid"}
    names = ", ".join(column.name for column in columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} FROM generate_series(1, {ROWS}) n".format(
        **words
    )


def usual(column: Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, Enum):
        return f"'{kind.enums[0]}'"
    if isinstance(kind, Uuid):
        return "{n}" if column.primary_key else "{owner}"
    if isinstance(kind, ARRAY):
        return "ARRAY['x' || n]"
    if isinstance(kind, JSONB):
        return "jsonb_build_object()"
    names = {str: "'x' || n", int: "1", bool: "true", bytes: "'x'::bytea"}
    return names.get(kind.python_type, "now() + n * interval '1 minute'")


def plan_of(db: Connection, statement: ClauseElement | PreparedStatement) -> list[dict[str, Any]]:
    """The nodes of the plan that is good for any parameters."""
    if isinstance(statement, PreparedStatement):
        return plan_as_sent(db, statement.text)
    return plan_as_sent(db, statement.compile(dialect=db.dialect).string)


def plan_as_sent(db: Connection, sent: str) -> list[dict[str, Any]]:
    """The same for a statement as psycopg is given it."""
    return list(nodes(explained(db, sent, "JSON")[0][0]["Plan"]))


def explained(db: Connection, sent: str, form: str) -> list[Any]:
    numbers: dict[str, str] = {}
    numbered = re.sub(r"%\((\w+)\)s", lambda found: numbers.setdefault(found[1], f"${len(numbers) + 1}"), sent).replace(
        "%%", "%"
    )
    # Explained once and then again, it would be prepared, and want its parameters.
    explain = f"EXPLAIN (GENERIC_PLAN, FORMAT {form}) {numbered}"
    return [row[0] for row in driver_of(db).execute(explain.encode(), prepare=False)]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from nodes(below)


# Columns that name one owner or one row.
NAMING = re.compile(
    r"\b(id|event_id|endpoint_id|(held_by_|mentee_)?user_id|mentor_profile_id|session_id|booking_id|subject_id) = "
)


def is_narrow(scan: dict[str, Any]) -> bool:
    """Whether an index scan finds the rows of one owner: what names it is a condition of the index, not a filter."""
    condition = scan.get("Index Cond") or scan.get("Recheck Cond") or ""
    return bool(NAMING.search(condition)) or (not NAMING.search(scan["Filter"]) and bool(condition))


def assert_indexed(db: Connection, statement: ClauseElement | PreparedStatement, *, of_one_owner: bool = True) -> None:
    """No large table is looked through from its beginning to its end, nor an index of it for the rows of one owner."""
    scans = [node for node in plan_of(db, statement) if node.get("Relation Name") in LARGE_NAMES]
    for scan in scans:
        assert scan["Node Type"] != "Seq Scan", scan
        assert not of_one_owner or "Filter" not in scan or is_narrow(scan), scan


@pytest.mark.parametrize(
    ("condition", "narrow"),
    [
        ("(mentee_user_id = $1)", True),
        ("((status = 'draft') AND (start_time < $2))", False),
        ("(mentee_user_id > $1)", False),
        (None, False),
    ],
)
def test_an_index_scan_is_narrow_by_its_owner_alone(condition: str | None, narrow: bool) -> None:
    assert is_narrow({"Index Cond": condition, "Filter": "(mentee_user_id = $1)"}) is narrow


@pytest.mark.parametrize("later_page", [False, True], ids=["first page", "later page"])
@pytest.mark.parametrize("name", LISTS)
def test_every_list_finds_its_page_by_an_index(large: Connection, name: str, later_page: bool) -> None:
    paged, always, optional = LISTS[name]
    for added in combinations(optional):
        statement = paged.statement({**always, **added}, later_page=later_page)
        assert_indexed(large, statement, of_one_owner=SOME_ID in always.values())


def combinations(optional: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of filters that a caller may give; of many filters, those of few and of nearly all of them."""
    for count in range(len(optional) + 1):
        if len(optional) <= MANY_FILTERS or count <= 2 or count >= len(optional) - 1:
            yield from map(dict, itertools.combinations(optional.items(), count))


def test_every_filter_of_a_list_is_planned() -> None:
    planned: dict[PagedList[Any], set[str]] = {}
    for paged, always, optional in LISTS.values():
        planned.setdefault(paged, set()).update(always, optional)
    for paged, filters in planned.items():
        known = set(inspect.signature(paged.query).parameters)
        if "narrowed" in known:
            narrow = narrow_bookings if paged in (BOOKINGS, NEXT_BOOKINGS) else narrow_sessions
            known |= set(inspect.signature(narrow).parameters)
        assert known - {"page", "order", "narrowed", "query", "start"} == filters


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_every_request_asks_finds_its_row_by_an_index(large: Connection, name: str) -> None:
    assert_indexed(large, STATEMENTS[name])


def subject_statements(engine: Engine) -> list[PreparedStatement]:
    views = World.on(engine).app.view_functions.values()
    subjects = [declaration_of(view).subject for view in views]
    return [subject.statement for subject in subjects if subject is not None]


def test_every_subject_is_found_by_an_index(large: Connection, engine: Engine) -> None:
    found = subject_statements(engine)
    assert len(found) > 20
    for statement in found:
        assert_indexed(large, statement.query)


@pytest.mark.parametrize("name", sorted({*names(About.BOOKINGS), *names(About.MENTORS), *names(About.BUNDLES)}))
def test_a_part_of_an_invariant_finds_its_rows_by_an_index(large: Connection, name: str) -> None:
    made = statements_of(large, lambda: check_part(large, name, [SOME_ID]))
    scans = [node for node in plan_as_sent(large, made[0][0]) if node.get("Relation Name") in set(map(str, LARGE))]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond"), scan


@pytest.mark.parametrize("about", list(continuous.NEWEST))
def test_the_newest_changes_are_found_by_an_index(large: Connection, about: About) -> None:
    assert_indexed(large, continuous.NEWEST[about], of_one_owner=False)


@pytest.mark.parametrize("statement", [EVENTS_AFTER, LAST_EVENT_READ], ids=["page", "end"])
def test_the_next_events_are_read_in_the_order_of_an_index(large: Connection, statement: ClauseElement) -> None:
    (scan,) = (node for node in plan_of(large, statement) if node.get("Relation Name") == "events")
    assert (scan["Node Type"].removesuffix(" Only Scan").removesuffix(" Scan"), scan["Index Name"]) == (
        "Index",
        "ix_events_xid_sequence",
    )


DONE, PENDING = 8_000, 400
SOON = timedelta(seconds=30)

# Most rows are done, as they are in a system that has run for long; hundreds of mails wait in the same queue.
_FILL = """
INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
SELECT gen_random_uuid(), 'booking.accepted', 'booking', gen_random_uuid(), 'system',
       jsonb_build_object('booking_id', gen_random_uuid(), 'listing_id', gen_random_uuid(),
           'mentor_profile_id', gen_random_uuid(), 'mentee_user_id', NULL, 'kind', 'individual', 'status', 'accepted',
           'start_time', '2026-01-01T00:00:00+00:00', 'end_time', '2026-01-01T01:00:00+00:00', 'session_id', NULL,
           'version', 2),
       now()
FROM generate_series(1, {done});
INSERT INTO deliveries (event_id, effect, target, id, queue, state, due_at, nudge_at, done_at)
SELECT e.id, 'analytics.session_completed', '', gen_random_uuid(), 'analytics', 'done', now(), now(), now()
FROM events e;
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)
SELECT e.id, kind.effect, '', gen_random_uuid(), 'notifications', now() - interval '5 seconds', now()
FROM (SELECT id FROM events LIMIT {pending}) e
CROSS JOIN (VALUES ('mail.send'), ('notifications.booking_accepted')) AS kind(effect);
"""

# Ids in an order: which of two indexes of an empty table is a little cheaper follows from that of their columns.
_EMPTIED_SYSTEM = """
TRUNCATE events CASCADE;
INSERT INTO notifications (id, event_id, user_id, kind, channel, title, body, gathered_until)
SELECT id, id, id, 'booking_accepted', 'email', '', '', CASE WHEN n %% 2 = 0 THEN now() END
FROM generate_series(1, 300) n, CAST(lpad(n::text, 32, '0') AS uuid) id;
ANALYZE notifications;
TRUNCATE events CASCADE;
"""


@pytest.fixture(scope="module")
def filled(worker_id: str, template_database: str) -> Iterator[Connection]:
    """A connection to a database of that many deliveries, on which nothing more is kept."""
    statements = [_FILL.format(done=DONE, pending=PENDING), "ANALYZE deliveries, events"]
    with filled_once(f"tutelage_filled_{worker_id}", template_database, statements) as db:
        yield db


def statements_of(db: Connection, call: Callable[[], Any]) -> list[tuple[str, Any]]:
    """All statements that a call makes, with their parameters."""
    made: list[tuple[str, Any]] = []

    def keep(_db: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "the test's own" not in statement:
            made.append((statement, parameters))

    event.listen(db, "before_cursor_execute", keep)
    observe_prepared(db, lambda statement, _seconds: made.append((statement, None)))
    try:
        call()
    finally:
        event.remove(db, "before_cursor_execute", keep)
        observe_prepared(db, None)
    return made


def plans(db: Connection, call: Callable[[], Any]) -> list[str]:
    """The generic plans of all statements that a call makes, each as text."""
    return ["\n".join(explained(db, statement, "TEXT")) for statement, _parameters in statements_of(db, call)]


def some(db: Connection, effect: str, count: int = 20) -> list[DeliveryKey]:
    rows = db.execute(
        text(
            "SELECT /* the test's own */ event_id, effect, target FROM deliveries"
            " WHERE effect = :effect AND state = 'pending' LIMIT :limit"
        ),
        {"effect": effect, "limit": count},
    )
    return [DeliveryKey(**row._mapping) for row in rows]


def claimed(db: Connection) -> list[Delivery]:
    return store.claim(db, some(db, "notifications.booking_accepted"))


SHARED_EFFECTS = ["notifications.booking_requested", "notifications.booking_accepted", "notifications.session_created"]
SHARED = dict.fromkeys(SHARED_EFFECTS, store.ALWAYS)
RETRY = Attempt(outcome="retry", took=SOON, error="no")
DELIVERY_STATEMENTS: dict[str, Callable[[Connection], Any]] = {
    "claim_batch": lambda db: store.claim(db, some(db, SHARED_EFFECTS[1]), shared=SHARED, limit=50, batch=True),
    "claim": claimed,
    "lease": lambda db: store.lease(db, claimed(db), SOON),
    "hold": lambda db: store.hold(db, claimed(db), batch=True),
    "mark_done": lambda db: store.mark_done(db, claimed(db)),
    "again": lambda db: store.settle(db, claimed(db)[0], RETRY, after=SOON),
    "claim_leased": lambda db: store.claim_leased(db, "mail.send", some(db, "mail.send"), SOON),
    "overdue": lambda db: store.overdue(db, "notifications", list_is_empty=False),
    "overdue, empty list": lambda db: store.overdue(db, "notifications", list_is_empty=True),
    "share_effect": lambda db: store.share_effect(db, SHARED_EFFECTS[1], "booking.accepted", [SOME_ID]),
    "earlier_messages": lambda db: store.earlier_messages(db, "booking.accepted", claimed(db)),
    "gathered": lambda db: store.gathered(db, user_id=SOME_ID, kind="x", until=store.ALWAYS, limit=9),
    "mark_gathered_done": lambda db: store.mark_gathered_done(db, [SOME_ID]),
    "backlogs": lambda db: store.backlogs(db, ["sessions", "notifications"]),
    "oldest undelivered": lambda db: store.oldest_undelivered(db, ["webhooks"], ["webhooks.send"]),
}


@pytest.mark.parametrize("name", DELIVERY_STATEMENTS)
def test_no_statement_of_a_delivery_reads_a_whole_table(filled: Connection, name: str) -> None:
    with filled.begin() as transaction:
        found = plans(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        transaction.rollback()
    assert found
    for plan in found:
        assert "Seq Scan on deliveries" not in plan, plan
        assert "Seq Scan on events" not in plan, plan


BY_KEY: Sequence[str] = ("claim", "lease", "hold", "mark_done", "again")


@pytest.mark.parametrize("name", BY_KEY)
def test_what_is_named_is_found_by_its_primary_key(filled: Connection, name: str) -> None:
    """Not by an index over all that is pending, which is short only as long as there is no backlog."""
    with filled.begin() as transaction:
        *_before, last = plans(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        transaction.rollback()
    assert "pk_deliveries" in last, last
    assert "ix_deliveries_queue_nudge_at" not in last


@pytest.mark.parametrize("name", DELIVERY_STATEMENTS)
def test_plans_made_on_empty_tables_use_indexes(filled: Connection, name: str) -> None:
    """A new system plans its statements before it has rows, and keeps these plans until the first ANALYZE."""
    with filled.begin() as transaction:
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        # As the role's connections begin.
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT; TRUNCATE events CASCADE")
        planned = [node for statement, _parameters in made for node in plan_as_sent(filled, statement)]
        transaction.rollback()
    assert_looked_up(planned)


def assert_looked_up(planned: Iterable[dict[str, Any]]) -> None:
    of_tables = [node for node in planned if node.get("Relation Name") in ("deliveries", "events")]
    scans = [node for node in of_tables if "Scan" in node["Node Type"]]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond") or scan.get("TID Cond"), scan


@pytest.mark.parametrize("name", ["claim_batch", "claim", "claim_leased"])
def test_a_claim_planned_with_few_events_reads_its_own(filled: Connection, name: str) -> None:
    """It is kept while thousands are written, until the next ANALYZE."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql("TRUNCATE events CASCADE")
            filled.exec_driver_sql(_FILL.format(done=1_000, pending=1_000))
        filled.exec_driver_sql("ANALYZE events, deliveries")
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        planned = [node for statement, _parameters in made for node in plan_as_sent(filled, statement)]
        transaction.rollback()
    assert_looked_up(planned)


def test_single_rows_are_found_by_their_key_in_plans_made_on_empty_tables(filled: Connection, engine: Engine) -> None:
    """Not by a walk through an index of all drafts, which costs as little as long as there are none."""
    changes = [*BOOKING_MACHINE.statements.values(), *SESSION_MACHINE.statements.values(), DRAFT, ACCEPTED]
    with filled.begin() as transaction:
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT; TRUNCATE users, events CASCADE")
        statements: list[ClauseElement | PreparedStatement] = [*changes, *STATEMENTS.values()]
        statements += subject_statements(engine)
        planned = [node for statement in statements for node in plan_of(filled, statement)]
        transaction.rollback()
    scans = [node for node in planned if NAMING.search(node.get("Filter", ""))]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond") or "CTE" in scan["Node Type"], scan


def test_held_mails_are_found_by_an_index_of_theirs(filled: Connection) -> None:
    """Not by a walk through all notifications, where the statistics are those of rows that are gone."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql(_EMPTIED_SYSTEM)
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT")
        (made,) = statements_of(filled, lambda: DELIVERY_STATEMENTS["gathered"](filled))
        scans = [node for node in plan_as_sent(filled, made[0]) if "Relation Name" in node]
        transaction.rollback()
    found = {scan["Relation Name"]: scan["Index Name"] for scan in scans}
    assert found == {
        "notifications": "ix_notifications_gathered",
        "deliveries": "pk_deliveries",
        "events": "pk_events",
    }


@pytest.mark.parametrize("name", ["overdue", "overdue, empty list"])
def test_the_sweep_reads_the_index_of_what_is_pending(filled: Connection, name: str) -> None:
    """Also while so much is pending that a page of it seems to be found soon anywhere."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql("UPDATE deliveries SET state = 'pending', done_at = NULL, queue = 'notifications'")
        filled.exec_driver_sql("ANALYZE deliveries")
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        scans = [node for node in plan_as_sent(filled, made[0][0]) if node.get("Relation Name") == "deliveries"]
        transaction.rollback()
    assert "pk_deliveries" not in {scan.get("Index Name") for scan in scans}, scans
