"""Tests of the calendar feed: its secret address, its sessions, and its ETag."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from icalendar import Calendar, Event
from sqlalchemy import Engine, select, text, update
from structlog.testing import capture_logs

from models.calendar import calendar_secrets
from models.people import users
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import ApiClient, ApiResponse, World
from tests.integration.harness import without_guards
from tests.queries import execute
from tests.statements import statements_of
from workflows.calendar.feed import digest_of
from workflows.sessions.records import Session

YEAR = timedelta(days=365)


def make_secret(client: ApiClient, headers: Headers) -> str:
    answer = client.post("/calendar/secret", headers=headers)
    assert answer.status_code == 201, answer.json
    secret: str = answer.json["secret"]
    return secret


def feed_of(client: ApiClient, secret: str, **headers: str) -> ApiResponse:
    return client.get(
        f"/calendar/{secret}.ics", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def entries_of(client: ApiClient, secret: str) -> dict[str, Event]:
    calendar = Calendar.from_ical(feed_of(client, secret).data)
    return {str(event["UID"]): event for event in calendar.walk("VEVENT") if isinstance(event, Event)}


def test_the_address_is_below_the_public_url(engine: Engine, cast: Cast) -> None:
    client = World.on(engine, public_url="https://tutelage.example/api").client
    answer = client.post("/calendar/secret", json={}, headers=cast.as_mentee)
    assert answer.status_code == 201
    assert answer.json["url"] == f"https://tutelage.example/api/calendar/{answer.json['secret']}.ics"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers
    # 32 random bytes.
    assert len(answer.json["secret"]) == 43


def test_only_the_hash_of_a_secret_is_stored(client: ApiClient, engine: Engine, cast: Cast) -> None:
    secret = make_secret(client, cast.as_mentee | {"Idempotency-Key": "once"})
    with engine.connect() as db:
        assert db.scalars(select(calendar_secrets.c.digest)).all() == [digest_of(secret)]
        # In no table, not even of stored responses.
        tables = db.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).all()
        for table in tables:
            rows = db.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()  # names from the catalog
            assert not [row for row in rows if secret in row], table


def test_a_new_secret_replaces_the_old_one(client: ApiClient, cast: Cast) -> None:
    first = make_secret(client, cast.as_mentee)
    assert feed_of(client, first).status_code == 200
    second = make_secret(client, cast.as_mentee)
    assert first != second
    gone = feed_of(client, first)
    assert (gone.status_code, gone.json["code"]) == (404, "not_found")
    assert feed_of(client, second).status_code == 200
    other = make_secret(client, cast.as_mentor)
    assert feed_of(client, second).status_code == feed_of(client, other).status_code == 200


def test_an_idempotency_key_creates_one_secret(client: ApiClient, cast: Cast) -> None:
    headers = cast.as_mentee | {"Idempotency-Key": "once"}
    assert make_secret(client, headers) == make_secret(client, headers)
    again = client.post("/calendar/secret", headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "wrong", ["unknown", "x" * 43, "%00", "%FF", "..", "a" * 4000, "' OR 1=1 --", "ümlaut", "{secret}", "secret.ics"]
)
def test_an_unknown_secret_is_not_found(client: ApiClient, wrong: str) -> None:
    for root in ("", "/api"):
        answer = client.get(f"{root}/calendar/{wrong}.ics")
        assert answer.status_code == 404
        assert set(answer.json) == {"statusCode", "error", "message", "code", "requestId"}
        assert "Cache-Control" in answer.headers


def test_an_operator_has_no_calendar(client: ApiClient, cast: Cast) -> None:
    assert client.post("/calendar/secret", headers=cast.as_operator).status_code == 403


def test_a_feed_has_the_sessions_of_both_roles(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        as_mentor = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
        user = replace(cast.mentee, id=cast.mentor.user_id)
        as_mentee = factories.make_session(db, listing=factories.make_listing(db, cast.other_mentor), mentee=user)
        factories.make_session(db)  # of other users
    found = entries_of(client, make_secret(client, cast.as_mentor))
    assert set(found) == {str(as_mentor.booking_id), str(as_mentee.booking_id)}
    event = found[str(as_mentor.booking_id)]
    assert str(event["SUMMARY"]) == f"Session with {cast.mentee.name}"
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (as_mentor.start_time, as_mentor.end_time)
    assert (event["STATUS"], event["SEQUENCE"], event["TRANSP"]) == ("CONFIRMED", 0, "OPAQUE")
    # A feed is no invitation, and discloses no address.
    assert "ATTENDEE" not in event
    assert "@" not in feed_of(client, make_secret(client, cast.as_mentor)).get_data(as_text=True)
    assert entries_of(client, make_secret(client, cast.as_stranger)) == {}


@pytest.mark.parametrize("root", ["", "/api"])
def test_a_feed_is_an_icalendar_object(client: ApiClient, cast: Cast, scheduled: Session, root: str) -> None:
    answer = client.get(f"{root}/calendar/{make_secret(client, cast.as_mentee)}.ics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    calendar = Calendar.from_ical(answer.data)
    assert (calendar["VERSION"], calendar["CALSCALE"]) == ("2.0", "GREGORIAN")
    assert "METHOD" not in calendar
    assert [str(event["UID"]) for event in calendar.walk("VEVENT")] == [str(scheduled.booking_id)]
    assert answer.data.count(b"\n") == answer.data.count(b"\r\n")


def test_drafts_are_not_in_the_feed(client: ApiClient, cast: Cast, draft: object) -> None:
    assert draft
    assert entries_of(client, make_secret(client, cast.as_mentee)) == {}


def test_cancelled_sessions_stay_as_cancelled(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    secret = make_secret(client, cast.as_mentee)
    path = f"/sessions/{scheduled.id}/cancel"
    assert client.patch(path, json={"reason": "I am ill."}, headers=cast.as_mentor).status_code == 200
    event = entries_of(client, secret)[str(scheduled.booking_id)]
    assert (event["STATUS"], event["SEQUENCE"], event["TRANSP"]) == ("CANCELLED", 1, "TRANSPARENT")
    assert "I am ill" not in event.to_ical().decode()


def test_members_of_a_group_have_its_session(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        session = factories.make_group_session(db, [cast.mentee, cast.stranger], listing=cast.listing)
    for headers, others in ((cast.as_stranger, cast.mentor.name), (cast.as_mentor, "your group")):
        event = entries_of(client, make_secret(client, headers))[str(session.booking_id)]
        assert str(event["SUMMARY"]) == f"An hour, with {others}"
    assert entries_of(client, make_secret(client, cast.as_other_mentor)) == {}


@pytest.mark.parametrize(
    ("distance", "is_in"),
    [(-YEAR, True), (YEAR, True), (-YEAR - timedelta(days=3), False), (YEAR + timedelta(days=3), False)],
)
def test_a_feed_covers_a_year_back_and_ahead(
    client: ApiClient, engine: Engine, cast: Cast, scheduled: Session, distance: timedelta, is_in: bool
) -> None:
    start = datetime.now(UTC) + distance
    with engine.begin() as db, without_guards(db):
        moved = update(sessions).where(sessions.c.id == scheduled.id)
        db.execute(moved.values(start_time=start, end_time=start + timedelta(hours=1)))
    assert bool(entries_of(client, make_secret(client, cast.as_mentee))) == is_in


@pytest.mark.parametrize("root", ["", "/api"])
def test_an_unchanged_feed_is_304_by_one_statement(world: World, cast: Cast, scheduled: Session, root: str) -> None:
    with world.engine.begin() as db:
        factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
    path = f"{root}/calendar/{make_secret(world.client, cast.as_mentee)}.ics"
    with statements_of(world.engine) as made:
        answer = world.client.get(path)
    assert {str(scheduled.booking_id)} < {str(each["UID"]) for each in Calendar.from_ical(answer.data).walk("VEVENT")}
    tag = answer.headers["ETag"]
    assert len(made.statements) == 2
    for known in (tag, f'"another", W/{tag}', "*"):
        with statements_of(world.engine) as made:
            answer = world.client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
        assert len(made.statements) == 1
        assert answer.headers["Cache-Control"] == "no-store"
    assert world.client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200
    head = world.client.head(path)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag)


def test_the_etag_changes_with_what_is_shown_only(
    client: ApiClient, engine: Engine, cast: Cast, scheduled: Session
) -> None:
    secret, other = make_secret(client, cast.as_mentee), make_secret(client, cast.as_stranger)
    before = feed_of(client, other).headers["ETag"]
    seen = [feed_of(client, secret).headers["ETag"]]

    def changed() -> bool:
        seen.append(feed_of(client, secret).headers["ETag"])
        return seen[-1] != seen[-2]

    assert not changed()
    with engine.begin() as db:
        second = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
    assert changed(), "another session"
    for name, who in (("Grace Brewster", cast.mentor.user_id), ("Ada King", cast.mentee.id)):
        execute(engine, update(users).where(users.c.id == who).values(name=name))
        assert changed(), "another name"
    client.patch(f"/sessions/{second.id}/cancel", json={"reason": "x"}, headers=cast.as_mentee)
    assert changed(), "a cancellation"
    client.patch(f"/sessions/{scheduled.id}/start", headers=cast.as_mentee)
    assert changed(), "a start"
    with engine.begin() as db:
        factories.make_session(db)
    assert not changed(), "a session of others"
    assert feed_of(client, other).headers["ETag"] == before
    assert len(set(seen)) == 6


def test_the_etag_covers_changes_that_commit_out_of_order(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        one, two = (factories.make_session(db, listing=cast.listing, mentee=cast.mentee) for _ in range(2))
    secret = make_secret(client, cast.as_mentee)
    with engine.connect() as early:
        # From here on its now() stays the same.
        early.execute(text("SELECT now()"))
        client.patch(f"/sessions/{two.id}/cancel", json={"reason": "x"}, headers=cast.as_mentee)
        tag = feed_of(client, secret).headers["ETag"]
        early.execute(update(sessions).where(sessions.c.id == one.id).values(title="Another title"))
        early.commit()
    answer = feed_of(client, secret, If_None_Match=tag)
    assert answer.status_code == 200
    assert "Another title" in answer.get_data(as_text=True)


def test_secrets_are_not_logged(client: ApiClient, cast: Cast) -> None:
    secret = make_secret(client, cast.as_mentee)
    with capture_logs() as lines:
        for path in (secret, f"{secret}x"):
            client.get(f"/calendar/{path}.ics")
            client.get(f"/api/calendar/{path}.ics/")
    assert len(lines) == 4
    assert secret not in str(lines)


def test_an_unknown_secret_costs_one_statement(world: World) -> None:
    with statements_of(world.engine) as made:
        assert feed_of(world.client, str(uuid4())).status_code == 404
    assert len(made.statements) == 1
