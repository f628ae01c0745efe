"""Tests of plans: whatever is asked of large tables on a hot path finds its rows by an index, for any parameters."""

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import ARRAY, ClauseElement, Column, Connection, Engine, Enum, Select, Table, Uuid, bindparam
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
from models.events import DeliveryState, deliveries, events
from models.groups import group_sessions, waitlist_entries
from models.idempotency import idempotency_keys
from models.links import spent_links
from models.notifications import notifications, push_subscriptions
from models.people import email_changes, mentor_blocks, mentor_profiles, skills, users
from models.prepared import PreparedStatement
from models.reviews import review_permits, reviews
from models.sessions import SessionStatus, sessions
from models.webhooks import deleted_webhook_endpoints, webhook_endpoints
from tests.application import World
from tests.integration.plans import SOME_ID, filled_once, plan_as_sent, plan_of, statements_of
from workers.maintain import forget_expired_keys
from workflows.accounts import blocks
from workflows.accounts.email_change import CLOSE_EMAIL_CHANGE, RECENT_CHANGES, forget_email_changes
from workflows.accounts.records import USERS, User, UserState
from workflows.action_links.link import HOLDER_OF_LINK, SPENT_LINK, forget_spent_links
from workflows.analytics.counts import conversion_query
from workflows.analytics.scope import Period, Scope
from workflows.analytics.transition_times import transition_times_query
from workflows.audit.chain import NEXT_ENTRIES, OLDEST_UNCHAINED
from workflows.audit.log import AUDIT_ENTRIES
from workflows.availability.calendar import BLOCKS, BLOCKS_WITHOUT_BOOKINGS, CALENDARS
from workflows.availability.dates import DATES
from workflows.availability.feed_reading import DELETE_TIMES, FEEDS_TO_READ, INSERT_TIMES, OWN_BOOKINGS
from workflows.availability.feed_reading import END_HOLDS as END_HOLDS_ELSEWHERE
from workflows.availability.feeds import FEEDS
from workflows.availability.slots import OF_COURSE, OF_LISTING, OF_LISTING_OF_COURSE, OF_MENTOR, OWN_TIME
from workflows.bookings.candidates import OFFER_OF_MENTOR, OFFERS_OF_COURSE
from workflows.bookings.direct import LISTING_OF_DURATION, LISTING_OF_ID
from workflows.bookings.holds import RELEASE_HOLD, TAKE_HOLD, delete_expired_holds
from workflows.bookings.individual import NAMED, ONLY_PRODUCT, PRODUCT
from workflows.bookings.records import ALL_BOOKINGS, BOOKINGS, NEXT_BOOKINGS, narrow_bookings
from workflows.bookings.series import DRAFTS_OF_SERIES
from workflows.bundles.records import BUNDLES
from workflows.catalog.courses import COURSES, FOUND_COURSES
from workflows.catalog.listings import BOOKABLE, LISTINGS
from workflows.catalog.mentors import SKILLS, MentorSort, mentors_list, offers_statement
from workflows.catalog.products import PRODUCTS
from workflows.catalog.search import Offer
from workflows.events.record import recording
from workflows.groups.records import GROUPS
from workflows.groups.support_options import OFFERS
from workflows.groups.waitlist import WAITED_FOR
from workflows.identity.actor import ACTIVE_MENTOR, MENTOR, USER
from workflows.invariants import About, check_part, continuous, names
from workflows.kernel.paging import LEAST_RECENTLY_CHANGED_FIRST, Order, PagedList
from workflows.kernel.quotas import forget_unused_quotas
from workflows.kernel.records import ExternalRecord
from workflows.notifications.gathering import HOLD
from workflows.notifications.mails import MAILS
from workflows.notifications.push_subscriptions import BROWSERS
from workflows.notifications.records import NOTIFICATIONS
from workflows.operators.deliveries import DELIVERIES
from workflows.reviews.permits import OPEN_PERMITS
from workflows.reviews.records import REVIEWS_OF_MENTOR
from workflows.sessions.records import (
    ALL_SESSIONS,
    NEXT_SESSIONS,
    SESSION,
    SESSION_WITH_TERMS,
    SESSIONS,
    narrow_sessions,
)
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
    mentor_blocks: {"user_id": "{n}"},
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
OFFER: dict[str, Any] = {"skills": ["go"], "max_price": 1, "currency": "USD", "duration_minutes": 60}

NARROWED = {
    "external_id": "x1",
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

EVERYONES: list[tuple[str, dict[Order, PagedList[Any]], Any]] = [
    ("bookings", {**ALL_BOOKINGS}, BookingStatus.DRAFT),
    ("sessions", {**ALL_SESSIONS}, (SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS)),
]
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
    **{
        f"everyone's {name} {number}": (
            paged,
            {"updated_since": 1} if order is LEAST_RECENTLY_CHANGED_FIRST else {},
            {"status": status, "kind": BookingKind.GROUP}
            | {filtered: 1 for filtered in ("from_time", "to_time", "updated_since", "external_id", "q")}
            | {filtered: SOME_ID for filtered in ("mentor_profile_id", "with_user_id", "listing_id", "course_id")},
        )
        for name, lists, status in EVERYONES
        for number, (order, paged) in enumerate(lists.items())
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
    "users": (USERS, {}, {"q": "go", "email": "a@example.org", "state": UserState.BLOCKED}),
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
    "blocks of a mentor": (blocks.BLOCKS, {"mentor_profile_id": SOME_ID}, {}),
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
    "deliveries of a subject": (
        DELIVERIES,
        {"subject_id": SOME_ID},
        {"state": DeliveryState.DEAD, "effect": "reviews.unlock"},
    ),
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
    "a user": User.by_id(bindparam("user_id", type_=Uuid)),
    "a used link": SPENT_LINK,
    "the user of a link": HOLDER_OF_LINK,
    "used links to be forgotten": forget_spent_links.statement,
    "what a user has entered lately": RECENT_CHANGES,
    "an address to be confirmed": CLOSE_EMAIL_CHANGE,
    "addresses to be forgotten": forget_email_changes.statement,
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
    "groups to offer seats of": WAITED_FOR,
    "a new hold": TAKE_HOLD,
    "a released hold": RELEASE_HOLD,
    "expired holds": delete_expired_holds.statement,
    "busy times": BUSY_TIMES,
    "a caller's open sessions": OPEN_SESSIONS,
    "an earlier answer": idempotency.EARLIER,
    "a caller's stored answers": idempotency.STORED,
    "quotas that are unused": forget_unused_quotas.statement,
    "answers that have expired": forget_expired_keys.statement,
    "what follows from an event": recording(ROWS_OF_LISTENERS).query,
    "mails to be sent": MAILS,
    "mails to be held": HOLD,
    "what follows from a request's event": recording(ROWS_OF_LISTENERS, audited=True).query,
    "entries to be chained": NEXT_ENTRIES,
    "the oldest entry that is not chained": OLDEST_UNCHAINED,
}


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
        if column.name in chosen
        or column.name == "external_id"
        or not (column.nullable or column.server_default or column.identity)
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


# Columns that name one owner or one row.
NAMING = re.compile(
    r"\b((external_)?id|event_id|endpoint_id|(held_by_|mentee_)?user_id|mentor_profile_id|session_id|booking_id"
    r"|subject_id) = "
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


@pytest.mark.parametrize(
    "name", [name for name, (paged, *_) in LISTS.items() if issubclass(paged.record, ExternalRecord)]
)
def test_every_list_finds_an_external_id_by_an_index(large: Connection, name: str) -> None:
    paged, always, _ = LISTS[name]
    assert_indexed(large, paged.statement({**always, "external_id": "x1"}), of_one_owner=False)


def combinations(optional: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of filters that a caller may give; of many filters, combinations of few and of nearly all."""
    for count in range(len(optional) + 1):
        if len(optional) <= MANY_FILTERS or count <= 2 or count >= len(optional) - 1:
            yield from map(dict, itertools.combinations(optional.items(), count))


def test_every_filter_of_a_list_is_planned() -> None:
    planned: dict[Any, set[str]] = {}
    for paged, always, optional in LISTS.values():
        # Lists in several orders may share their query.
        planned.setdefault(paged.query, set()).update(always, optional)
    for paged, _always, _optional in LISTS.values():
        filters = planned[paged.query]
        known = {*inspect.signature(paged.query).parameters, *paged.of, *{*paged.equal} - {"external_id"}}
        if "offer" in known:
            known |= {field.name for field in fields(Offer)}
        if "filters" in known:
            of_bookings = (BOOKINGS, NEXT_BOOKINGS, *ALL_BOOKINGS.values())
            narrow = narrow_bookings if paged in of_bookings else narrow_sessions
            known |= set(inspect.signature(narrow).parameters)
        assert known - {"page", "order", "offer", "filters", "query", "start"} == filters


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


@pytest.mark.parametrize("report", [conversion_query, transition_times_query])
def test_a_report_of_the_last_day_passes_older_history_over(
    large: Connection, report: Callable[..., Select[Any]]
) -> None:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    query = report(period=Period(end - timedelta(days=1), end, ZoneInfo("UTC")), scope=Scope())
    # The period is written into the statement as it is sent.
    ((sent, _values),) = statements_of(large, lambda: large.execute(query).all())
    scans = [node for node in plan_as_sent(large, sent) if node.get("Relation Name") in ("bookings", "sessions")]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond"), scan


@pytest.mark.parametrize("statement", [EVENTS_AFTER, LAST_EVENT_READ], ids=["page", "end"])
def test_the_next_events_are_read_in_the_order_of_an_index(large: Connection, statement: ClauseElement) -> None:
    (scan,) = (node for node in plan_of(large, statement) if node.get("Relation Name") == "events")
    assert (scan["Node Type"].removesuffix(" Only Scan").removesuffix(" Scan"), scan["Index Name"]) == (
        "Index",
        "ix_events_xid_sequence",
    )
