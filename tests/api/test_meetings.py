"""Tests of where people meet: who sees the link of a session, when, and what the catalogue shows."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from models.bookings import bookings
from models.events import events
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiClient, World, as_user
from tests.eventually import eventually
from tests.integration.harness import without_guards
from tests.queries import scalars
from tests.statements import statements_of
from workflows.accounts.records import User
from workflows.bookings.records import Booking
from workflows.sessions.actions import create
from workflows.sessions.records import Session

OFFER = {"title": "Compilers", "durationMinutes": 45, "price": {"amount": 2000, "currency": "USD"}}
JITSI = re.compile("https://meet[.]jit[.]si/[0-9a-f]{32}")
OWN = {"kind": "online", "value": "https://meet.example/ada?pwd=secret"}
PHONE = {"kind": "phone", "value": "+49 30 1234"}
ADDRESS = {"kind": "address", "value": "12 Market St"}
MINUTE = timedelta(minutes=1)


def book(
    engine: Engine, cast: Cast, *, ahead: timedelta = 30 * MINUTE, early: int | None = 60, location: Any = None
) -> Session:
    """The scheduled session of an own listing that starts so long from now."""
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=early, location=location)
        start = datetime.now(UTC) + ahead
        booking = factories.make_booking(db, listing=listing, mentee=cast.mentee, start_time=start)
        create(db, booking_id=factories.accept_booking(db, booking).id)
        return Session.of(db.execute(Session.query().where(sessions.c.booking_id == booking.id)).one())


def test_both_parties_get_the_same_unguessable_link(client: ApiClient, cast: Cast, engine: Engine) -> None:
    first, second = book(engine, cast), book(engine, cast, ahead=120 * MINUTE, early=None)
    links = {
        client.get(f"/sessions/{each.id}", headers=headers).json["joinUrl"]
        for each in (first, second)
        for headers in (cast.as_mentee, cast.as_mentor)
    }
    assert len(links) == 2
    assert all(JITSI.fullmatch(link) for link in links)
    # It follows from nothing that others may know.
    for each in (first, second):
        assert not any(each.id.hex in link or each.booking_id.hex in link for link in links)


def test_operators_and_strangers_get_no_link(client: ApiClient, cast: Cast, engine: Engine) -> None:
    session = book(engine, cast, location=OWN)
    read = client.get(f"/sessions/{session.id}", headers=cast.as_operator)
    assert (read.status_code, read.json["joinUrl"], read.json["location"]["kind"]) == (200, None, "online")
    assert "meet.example" not in read.text
    for headers in (cast.as_stranger, cast.as_other_mentor, {}):
        refused = client.get(f"/sessions/{session.id}", headers=headers)
        assert refused.status_code in (401, 403)
        assert "meet.example" not in refused.text


def test_lists_have_the_link_without_further_statements(world: World, cast: Cast, engine: Engine) -> None:
    opened, closed = book(engine, cast, location=OWN), book(engine, cast, ahead=300 * MINUTE, location=OWN)
    for path, headers in (
        ("/sessions/mentee/my-sessions", cast.as_mentee),
        ("/sessions/mentor/my-sessions", cast.as_mentor),
    ):
        with statements_of(engine) as made:
            page = world.client.get(path, headers=headers).json
        assert {each["id"]: each["joinUrl"] for each in page["items"]} == {
            str(opened.id): OWN["value"],
            str(closed.id): None,
        }
        # The caller, and the page.
        assert len(made.statements) == 2


def test_the_link_appears_by_itself_and_with_a_new_tag(client: ApiClient, cast: Cast, engine: Engine) -> None:
    session = book(engine, cast, ahead=MINUTE + timedelta(seconds=2), early=1)
    path, opens = f"/sessions/{session.id}", session.start_time - MINUTE
    before = client.get(path, headers=cast.as_mentee)
    assert datetime.now(UTC) < opens, "The machine was too slow for this test."
    assert before.json["joinUrl"] is None
    known = cast.as_mentee | {"If-None-Match": before.headers["ETag"]}

    def look() -> Any:
        answer = client.get(path, headers=known)
        return answer if answer.status_code != 304 else None

    after = eventually(look, "the link", seconds=30)
    assert datetime.now(UTC) >= opens
    assert JITSI.fullmatch(after.json["joinUrl"])
    assert after.json | {"joinUrl": None} == before.json
    assert after.headers["ETag"] != before.headers["ETag"]
    same = client.get(path, headers=cast.as_mentee | {"If-None-Match": after.headers["ETag"]})
    assert same.status_code == 304
    # Either is the version that a change may name.
    started = client.patch(f"{path}/start", headers=cast.as_mentee | {"If-Match": before.headers["ETag"]})
    assert (started.status_code, started.json["joinUrl"]) == (200, after.json["joinUrl"])


def test_a_session_that_is_over_has_no_link(client: ApiClient, cast: Cast, engine: Engine) -> None:
    completed, cancelled = book(engine, cast), book(engine, cast, ahead=120 * MINUTE, early=None)
    started = client.patch(f"/sessions/{completed.id}/start", headers=cast.as_mentor)
    assert JITSI.fullmatch(started.json["joinUrl"])
    assert client.patch(f"/sessions/{completed.id}/complete", headers=cast.as_mentor).json["joinUrl"] is None
    body = {"reason": "I am ill."}
    assert client.patch(f"/sessions/{cancelled.id}/cancel", json=body, headers=cast.as_mentor).json["joinUrl"] is None
    for session in (completed, cancelled):
        for headers in (cast.as_mentee, cast.as_mentor):
            assert client.get(f"/sessions/{session.id}", headers=headers).json["joinUrl"] is None


@pytest.mark.parametrize(
    ("service", "link"),
    [
        ("https://video.example/r/{room}?lang=en", "https://video[.]example/r/[0-9a-f]{32}[?]lang=en"),
        ("https://video.example/all", "https://video[.]example/all"),
        (None, None),
    ],
)
def test_the_operator_chooses_the_service(cast: Cast, engine: Engine, service: str | None, link: str | None) -> None:
    client = World.on(engine, meeting_url=service).client
    path = f"/sessions/{book(engine, cast).id}"
    shown = client.get(path, headers=cast.as_mentee).json["joinUrl"]
    assert shown is None if link is None else re.fullmatch(link, shown)
    own = book(engine, cast, ahead=120 * MINUTE, early=None, location=OWN)
    assert client.get(f"/sessions/{own.id}", headers=cast.as_mentee).json["joinUrl"] == OWN["value"]


def test_another_service_is_another_tag(cast: Cast, engine: Engine) -> None:
    path = f"/sessions/{book(engine, cast).id}"
    tags = [
        World.on(engine, meeting_url=url).client.get(path, headers=cast.as_mentee).headers["ETag"]
        for url in ("https://one.example/{room}", "https://two.example/{room}")
    ]
    assert len(set(tags)) == 2


@pytest.mark.parametrize("location", [ADDRESS, PHONE])
def test_parties_see_address_and_number_from_the_booking_on(
    client: ApiClient, cast: Cast, engine: Engine, location: dict[str, str]
) -> None:
    session = book(engine, cast, ahead=48 * 60 * MINUTE, location=location)
    for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        shown = client.get(f"/sessions/{session.id}", headers=headers).json
        assert (shown["location"], shown["joinUrl"], shown["earlyStartMinutes"]) == (location, None, 60)
        assert client.get(f"/bookings/{session.booking_id}", headers=headers).json["location"] == location


def places(client: ApiClient, cast: Cast, booking_id: Any) -> list[str | None]:
    """The place of a booking, as its parties and an operator see it, and as the mentee's lists and export show it."""
    shown = [client.get(f"/bookings/{booking_id}", headers=cast.as_operator).json]
    for headers in (cast.as_mentee, cast.as_mentor):
        shown.append(client.get(f"/bookings/{booking_id}", headers=headers).json)
        shown += client.get("/bookings", headers=headers).json["items"]
    exported = client.get("/me/export", headers=cast.as_mentee).json
    shown += [*exported["bookings"], *exported["sessions"]]
    for headers, role in ((cast.as_mentee, "mentee"), (cast.as_mentor, "mentor")):
        shown += client.get(f"/sessions/{role}/my-sessions", headers=headers).json["items"]
    if shown[0]["sessionId"]:
        pages = [client.get(f"/sessions/{shown[0]['sessionId']}", headers=each) for each in (cast.as_mentee,)]
        shown += [page.json for page in pages if page.status_code == 200]
    assert len(shown) >= 6
    return [each["location"]["value"] for each in shown]


@pytest.mark.parametrize("location", [ADDRESS, PHONE])
@pytest.mark.parametrize("end", ["withdrawn", "declined", "cancelled"])
def test_a_place_is_shown_from_acceptance_until_the_end(
    world: World, cast: Cast, location: dict[str, str], end: str
) -> None:
    client, value = world.client, location["value"]
    offer = {**OFFER, "location": location}
    listing = client.post("/listings", json=offer, headers=cast.as_mentor).json["id"]
    made = client.post("/bookings", json=cast.body(listingId=listing), headers=cast.as_mentee)
    answers, path = [made], f"/bookings/{made.json['id']}"
    assert set(places(client, cast, made.json["id"])) == {None}
    if end != "cancelled":
        by = cast.as_mentee if end == "withdrawn" else cast.as_mentor
        answers.append(client.post(f"{path}/{'cancel' if end == 'withdrawn' else 'decline'}", headers=by))
    else:
        accepted = client.post(f"{path}/accept", headers=cast.as_mentor)
        assert accepted.json["location"] == location
        world.run_session_effects()
        assert set(places(client, cast, made.json["id"])) == {value}
        session = f"/sessions/{accepted.json['sessionId']}/cancel"
        answers.append(client.post(session, json={"reason": "Ill"}, headers=cast.as_mentee))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert [answer.json["location"] for answer in answers] == [{"kind": location["kind"], "value": None}] * 2
    assert set(places(client, cast, made.json["id"])) == {None}
    assert value not in str(scalars(world.engine, select(events.c.data)).all())


def test_a_paid_booking_and_a_seat_that_end_show_no_place(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, location=PHONE, early_start_minutes=None)
        bundle = factories.make_bundle(db, mentee=cast.mentee)
        paid = factories.make_paid_booking(
            db, bundle, listing=factories.make_listing(db, location=PHONE, course_id=bundle.course_id)
        )
        start = factories.next_slot() + timedelta(days=1)
        groups = [
            factories.make_group(db, [cast.mentee], listing=listing, start_time=start + timedelta(days=number))
            for number in range(2)
        ]
        for booking in (paid, *groups):
            create(db, booking_id=booking.id)
    client, headers = world.client, cast.as_mentee
    for booking in (paid, *groups):
        assert client.get(f"/bookings/{booking.id}", headers=headers).json["location"] == PHONE
    for booking in (paid, groups[0]):
        ended = client.post(f"/bookings/{booking.id}/cancel", headers=headers, json={"reason": "Ill"})
        assert (ended.status_code, ended.json["location"]) == (200, {"kind": "phone", "value": None})
    session = f"/sessions/{groups[1].session_id}/cancel"
    assert client.post(session, json={"reason": "Ill"}, headers=cast.as_mentor).status_code == 200
    for booking in (paid, groups[1]):
        assert client.get(f"/bookings/{booking.id}", headers=headers).json["location"]["value"] is None
    assert client.get(f"/group-sessions/{groups[1].id}", headers=headers).json["location"]["value"] is None


def test_the_location_is_fixed_with_the_booking(world: World, cast: Cast) -> None:
    offer = {**OFFER, "location": PHONE, "earlyStartMinutes": None}
    listing = world.client.post("/listings", json=offer, headers=cast.as_mentor).json["id"]
    body = cast.body(listingId=listing)
    booking = world.client.post("/bookings", json=body, headers=cast.as_mentee).json
    assert booking["location"] == {"kind": "phone", "value": None}
    later = {"location": ADDRESS, "earlyStartMinutes": 5}
    assert world.client.patch(f"/listings/{listing}", json=later, headers=cast.as_mentor).status_code == 200
    accepted = world.client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor)
    assert accepted.json["location"] == PHONE
    world.run_session_effects()
    session = world.client.get(accepted.headers["Location"], headers=cast.as_mentee).json
    assert (session["location"], session["earlyStartMinutes"]) == (PHONE, None)


@pytest.mark.parametrize(("location", "public"), [(OWN, None), (PHONE, None), (ADDRESS, None)])
def test_the_catalogue_hides_links_addresses_and_numbers(
    client: ApiClient, cast: Cast, location: dict[str, str], public: str | None
) -> None:
    made = client.post("/listings", json={**OFFER, "location": location}, headers=cast.as_mentor)
    path, shown = f"/listings/{made.json['id']}", {"kind": location["kind"], "value": public}
    tags = set()
    for headers, expected in (
        (cast.as_mentor, location),
        (cast.as_operator, location),
        (cast.as_mentee, shown),
        (cast.as_other_mentor, shown),
    ):
        read = client.get(path, headers=headers)
        assert read.json["location"] == expected
        tags.add((read.headers["ETag"], read.json["location"]["value"]))
        listed = client.get(f"/listings?mentorProfileId={cast.mentor.id}", headers=headers).json["items"]
        assert next(each for each in listed if each["id"] == made.json["id"])["location"] == expected
    # A tag stands for one representation.
    assert len({tag for tag, _value in tags}) == len(tags)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("We agree on it by mail", "link"),
        ("javascript:alert(1)", "link"),
        ("ftp://files.example/room", "link"),
        ("https://", "link"),
        ("https://meet.example/{name}", "placeholder"),
        ("https://meet.example/{room", "placeholder"),
    ],
)
def test_an_online_location_holds_a_link(client: ApiClient, cast: Cast, value: str, message: str) -> None:
    body = {**OFFER, "location": {"kind": "online", "value": value}}
    answer = client.post("/listings", json=body, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert message in str(answer.json["details"]["location.value"])


def test_a_link_may_hold_the_room(client: ApiClient, cast: Cast, engine: Engine) -> None:
    location = {"kind": "online", "value": "https://own.example/{room}"}
    made = client.post("/listings", json={**OFFER, "location": location}, headers=cast.as_mentor)
    assert (made.status_code, made.json["location"]) == (201, location)
    session = book(engine, cast, location=location)
    shown = client.get(f"/sessions/{session.id}", headers=cast.as_mentor).json["joinUrl"]
    assert re.fullmatch("https://own[.]example/[0-9a-f]{32}", shown)


@pytest.fixture
def group(engine: Engine, cast: Cast) -> Booking:
    """A group of the mentee's that meets at a link, and starts so soon that it can be joined."""
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=60, location=OWN)
        start = datetime.now(UTC) + 30 * MINUTE
        booking = factories.make_group(db, [cast.mentee], listing=listing, start_time=start)
        create(db, booking_id=booking.id)
        return booking


def test_participants_of_a_group_get_the_link(client: ApiClient, cast: Cast, group: Booking) -> None:
    for headers in (cast.as_mentee, cast.as_mentor):
        assert client.get(f"/sessions/{group.session_id}", headers=headers).json["joinUrl"] == OWN["value"]
    (listed,) = client.get("/sessions/mentee/my-sessions", headers=cast.as_mentee).json["items"]
    assert listed["joinUrl"] == OWN["value"]
    assert client.get(f"/sessions/{group.session_id}", headers=cast.as_stranger).status_code == 403


def test_public_group_sessions_hide_the_link(client: ApiClient, cast: Cast, group: Booking) -> None:
    for headers in (cast.as_stranger, cast.as_mentee, cast.as_mentor, cast.as_operator):
        for path in ("/group-sessions", f"/group-sessions/{group.id}"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 200
            assert "meet.example" not in answer.text
            shown = answer.json["items"][0] if "items" in answer.json else answer.json
            assert shown["location"] == {"kind": "online", "value": None}


def test_who_leaves_a_group_gets_no_link_any_more(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        other: User = factories.make_user(db)
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None, location=OWN)
        booking = factories.make_group(db, [cast.mentee, other], listing=listing)
        create(db, booking_id=booking.id)
    path = f"/sessions/{booking.session_id}"
    assert client.get(path, headers=as_user(other)).json["joinUrl"] == OWN["value"]
    assert client.post(f"/group-sessions/{booking.id}/leave", headers=as_user(other)).status_code == 200
    assert client.get(path, headers=as_user(other)).status_code == 403


def test_groups_meet_where_their_template_has_it(world: World, cast: Cast) -> None:
    first = datetime.now(UTC).date() + timedelta(days=7)
    template = {
        **{"title": "Group", "weekday": first.weekday(), "startTime": "09:00", "timeZone": "UTC", "capacity": 3},
        **{"durationMinutes": 60, "price": {"amount": 1000, "currency": "USD"}, "location": PHONE},
    }
    made = world.client.post("/group-session-templates", json=template, headers=cast.as_mentor)
    assert made.json["location"] == PHONE
    period = {"from": first.isoformat(), "to": first.isoformat()}
    path = f"{made.headers['Location']}/schedule"
    (day,) = world.client.post(path, json=period, headers=cast.as_mentor).json["made"]
    world.run_session_effects()
    assert world.client.post(f"/group-sessions/{day['bookingId']}/join", headers=cast.as_mentee).status_code == 200
    public = world.client.get(f"/group-sessions/{day['bookingId']}", headers=cast.as_stranger).json
    assert public["location"] == {"kind": "phone", "value": None}
    (session,) = world.client.get("/sessions/mentee/my-sessions", headers=cast.as_mentee).json["items"]
    assert session["location"] == PHONE


def test_events_and_so_webhooks_have_no_link(world: World, cast: Cast, engine: Engine) -> None:
    session = book(engine, cast, location=OWN)
    world.client.patch(f"/sessions/{session.id}/start", headers=cast.as_mentee)
    with engine.connect() as db:
        recorded = str(db.scalars(select(events.c.data)).all())
        room = db.scalars(select(sessions.c.room)).one()
    assert str(session.id) in recorded
    assert room is not None
    assert not any(secret in recorded for secret in ("meet.example", str(room), room.hex))


def test_a_session_takes_its_bookings_terms(engine: Engine, cast: Cast) -> None:
    session = book(engine, cast, early=None, location=ADDRESS)
    assert (session.location, session.early_start_minutes) == (ADDRESS, None)
    with engine.begin() as db:
        # By the trigger: a process of an earlier release inserts neither.
        booking = factories.accept_booking(db, factories.make_booking(db, listing=factories.make_listing(db)))
        with without_guards(db):
            db.execute(update(bookings).where(bookings.c.id == booking.id).values(location=PHONE))
        created = create(db, booking_id=booking.id)
    assert (created.location, created.early_start_minutes) == (PHONE, 15)
