"""A person gets all that is kept of them, and has it erased: held for every column by one table of places."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, DateTime, Engine, Enum, Table, Uuid, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Text

from config.sealing import Sealer
from config.vapid import new_private_key
from models import metadata
from models.base import Xid8
from models.bookings import bookings
from models.bundles import bundle_purchases
from models.events import deliveries, delivery_attempts, events
from models.groups import group_sessions, seat_answers, seat_cancellations, waitlist_entries
from models.notifications import push_subscriptions
from models.people import mentor_profiles, users
from models.personal import personal
from models.sealed import SEALED_COLUMNS
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast
from tests.application import SECRET, ApiResponse, World, as_mentor, as_operator, as_user, bearer, served_document
from tests.dumping import dump, tables_with
from tests.integration.browsers import SubscribedBrowser
from tests.queries import execute, scalars
from workflows.accounts.records import Mentor, User
from workflows.invariants import check_all
from workflows.privacy.erasure import erase, go_on_erasing
from workflows.reviews.records import Review
from workflows.sessions.actions import create as create_session

NOW = timedelta(0)
# Rows of the other person; everything else in the database of these tests is the person's own, or of both.
OTHERS = {
    "users": "id",
    "mentor_profiles": "user_id",
    "listings": "mentor_profile_id",
    "group_session_templates": "mentor_profile_id",
}
# Columns that a mark would break, or cannot be written into.
UNMARKED = {
    ("users", "time_zone"),
    ("idempotency_keys", "caller"),
    ("reviews", "hidden_reason"),
    ("webhook_endpoints", "disabled_reason"),
}
# Columns that the person is never shown: secrets, digests of secrets, and those that only the system reads.
NOT_EXPORTED = {
    "calendar_feeds": "sealed_url etag last_modified time_zone",
    "push_subscriptions": "endpoint_digest sealed",
    "webhook_endpoints": "headers",
    "webhook_secrets": "sealed_secret",
    "deliveries": "last_error response",
    "delivery_attempts": "error response",
}

# The erasure of one account, by its id, fails for good.
FAILING_ERASURE = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this account fails'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.id = '{}') EXECUTE FUNCTION fail();
"""


@dataclass(frozen=True)
class Life:
    """A person, as a mentee and a mentor, and the other side of everything."""

    world: World
    person: User
    profile: Mentor
    other: User
    other_profile: Mentor

    @property
    def headers(self) -> dict[str, str]:
        return as_user(self.person)

    def post(self, path: str, who: dict[str, str], method: str = "POST", **body: Any) -> ApiResponse:
        answer = self.world.client.open(path, method=method, json=body, headers=who | {"Idempotency-Key": path})
        assert answer.status_code < 300, answer.text
        return answer

    def export(self) -> dict[str, Any]:
        answer = self.world.client.get("/me/export", headers=self.headers)
        assert answer.status_code == 200
        exported: dict[str, Any] = answer.json
        return exported

    def delete(self, query: str = "") -> ApiResponse:
        return self.world.client.delete(f"/me{query}", headers=self.headers)


@pytest.fixture
def life(engine: Engine) -> Life:
    """Two people, each the mentor of the other, with nothing between them yet."""
    world = World.on(engine, vapid_private_key=new_private_key(), vapid_subject="mailto:a@b.example")
    with engine.begin() as db:
        person, other = factories.make_user(db, name="Ada Lovelace"), factories.make_user(db, name="Grace Hopper")
        return Life(world, person, factories.make_mentor(db, person), other, factories.make_mentor(db, other))


SEALER = Sealer([SECRET])
SEALED = {(each.table.name, each.column.name) for each in SEALED_COLUMNS}


@pytest.fixture
def full(life: Life, engine: Engine) -> Life:
    """The rows that a life leaves in every table."""
    hook: dict[str, Any] = {
        "url": "https://partner.example/in",
        "eventTypes": ["session.completed"],
        "headers": {"x": "y"},
    }
    own = as_mentor(life.profile)
    with engine.begin() as db:
        listing = factories.make_listing(db, life.profile, location={"kind": "address", "value": "1 High Street"})
        theirs = factories.make_listing(db, life.other_profile)
        for offer, mentee in ((listing, life.other), (theirs, life.person)):
            factories.make_review(db, factories.make_permit(db, listing=offer, mentee=mentee))
            factories.make_booking(db, listing=offer, mentee=mentee)
            factories.make_session(db, listing=offer, mentee=mentee)
        group = factories.make_group_session(db, [life.person], listing=theirs)
        db.execute(insert(seat_answers).values(booking_id=group.booking_id, user_id=life.person.id, answers=""))
        left = {"seat_id": uuid4(), "booking_id": group.booking_id, "user_id": life.person.id, "currency": "USD"}
        costs = {"late": False, "price_amount": 0, "fee_amount": 0, "refund_amount": 0, "reason": ""}
        db.execute(insert(seat_cancellations).values(**left, **costs))
        factories.make_bundle(db, mentee=life.person)
        paid = factories.make_payment(db, listing=theirs, mentee=life.person)
        assert paid.booking_id is not None
        create_session(db, booking_id=paid.booking_id)
        factories.make_calendar_feed(db, life.profile)
        factories.make_group_session(db, [life.other], listing=listing)
    life.post("/webhook-endpoints", own, **hook)
    life.post(
        f"/mentors/{life.profile.id}/time-off", own, startTime="2031-01-01T00:00:00Z", endTime="2031-01-02T00:00:00Z"
    )
    life.post("/calendar/secret", life.headers)
    browser = SubscribedBrowser("https://push.example/abc").subscription
    life.post("/push-subscriptions", life.headers, **dict[str, Any](browser))
    life.post("/me", life.headers, "PATCH", email="new@example.org")
    start = factories.next_slot().isoformat()
    life.post(f"/mentors/{life.other_profile.id}/holds", life.headers, startTime=start, durationMinutes=60)
    choice = {"items": [{"kind": "session_reminder", "channels": {"email": False}}]}
    life.post("/notification-preferences", life.headers, "PUT", **choice)
    life.post(f"/mentors/{life.profile.id}/blocks", own, userId=str(life.other.id), reason="Rude")
    life.world.run_database_effects()
    return life


def markable() -> Iterator[tuple[Table, str]]:
    """The columns of text that an erasure takes something from."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            said, kind = personal(column), column.type
            is_text = isinstance(kind, Text | JSONB) or (isinstance(kind, ARRAY) and isinstance(kind.item_type, Text))
            is_changed = said is not None and (said.replacement is not None or said.goes_with_row)
            if is_text and is_changed and (table.name, column.name) not in UNMARKED:
                yield table, column.name


def mark_of(table: Table, column: str) -> str:
    return f"mk-{table.name}-{column}-km".replace("_", "-")


@cache
def stored_mark_of(table: Table, column: str) -> str:
    """The mark as the column holds it: texts that people exchange are encrypted."""
    mark = mark_of(table, column)
    if column == "answers":
        mark = json.dumps([{"id": "goal", "label": "Your goal?", "kind": "text", "value": mark}])
    exchanged = ("bookings", "sessions", "seat_answers")
    return SEALER.seal(mark) if table.name in exchanged and (table.name, column) in SEALED else mark


def marked(table: Table, column: str) -> str:
    """The SQL of a value that holds the mark and that the column's checks allow."""
    mark = stored_mark_of(table, column)
    match table.c[column].type:
        case ARRAY():
            return f"ARRAY['{mark}']"
        case JSONB() if column == "action_items":
            return f"'[\"{mark}\"]'"
        case JSONB() if column == "questions":
            question = {"id": "goal", "label": mark, "kind": "text", "required": False}
            return f"'{json.dumps([question])}'"
        case JSONB() if column == "cancellation":
            return f"jsonb_set(coalesce(cancellation, '{{}}'), '{{reason}}', '\"{mark}\"')"
        case JSONB() if column == "headers":
            return f'\'{{"x-key": "{mark}"}}\''
        case JSONB():
            return f'\'{{"kind": "address", "value": "{mark}"}}\''
    return f"'https://{mark}'" if "url" in column else f"'{mark}'"


def leave_marks(db: Connection, life: Life) -> set[tuple[str, str]]:
    """Write a mark into every personal column of every row but the other person's; returns where there were rows."""
    found = set()
    db.execute(text("SET LOCAL session_replication_role = replica"))
    theirs = f"'{life.other.id}', '{life.other_profile.id}'"
    browsers = "(SELECT CAST(id AS text) FROM push_subscriptions)"
    for table, column in markable():
        where = f"{OTHERS[table.name]} NOT IN ({theirs})" if table.name in OTHERS else "true"
        if table.name in ("bookings", "sessions"):
            # A group's texts are its mentor's, as is where anything takes place.
            of_mentor = f"mentor_profile_id = '{life.profile.id}'"
            where = of_mentor if column == "location" else f"mentee_user_id IS NOT NULL OR {of_mentor}"
        if table.name in ("deliveries", "delivery_attempts"):
            where = (
                f"(effect = 'mail.send' AND target IN ('{life.person.id}', 'new_address', 'former_address'))"
                f" OR (effect = 'push.send' AND target IN {browsers}) OR effect = 'webhooks.send'"
            )
        besides = ", answered_at = now()" if column == "answer" else ""
        values = f"{column} = {marked(table, column)}{besides}"
        done = db.exec_driver_sql(f"UPDATE {table.name} SET {values} WHERE {where}")
        if done.rowcount:
            found.add((table.name, column))
    return found


def attempted(db: Connection) -> None:
    """Attempts of everything that was to be sent, and another time of each session, which was proposed."""
    db.execute(
        text(
            "INSERT INTO reschedule_proposals (id, session_id, from_time, start_time, proposed_by,"
            " proposed_by_user_id, reason, status, expires_at) SELECT gen_random_uuid(), id, start_time, end_time,"
            " 'mentee', mentee_user_id, 'Late', 'declined', now() FROM sessions WHERE mentee_user_id IS NOT NULL"
        )
    )
    sent = select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(
        deliveries.c.effect.in_(("mail.send", "push.send", "webhooks.send"))
    )
    for row in db.execute(sent).all():
        values = {**row._mapping, "attempt": 1, "outcome": "retry", "duration_ms": 1, "error": "", "response": ""}
        db.execute(insert(delivery_attempts).values(values))


def test_every_column_says_whether_it_is_personal() -> None:
    silent = (Uuid, DateTime, Xid8, Enum)
    missing = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if personal(column) is None and not isinstance(column.type, silent)
    ]
    assert missing == [], "Say in the column's info what becomes of it when an account is erased (models/personal.py)."


def test_no_personal_text_survives_an_erasure(full: Life, engine: Engine) -> None:
    with engine.begin() as db:
        attempted(db)
        found = leave_marks(db, full)
    everywhere = set(markable())
    assert {(table.name, column) for table, column in everywhere} - found == set(), "a table without rows to be marked"
    marks = {mark_of(table, column): (table.name, column) for table, column in everywhere}
    exported = json.dumps(full.export())
    hidden = {(table, column) for table, columns in NOT_EXPORTED.items() for column in columns.split()}
    assert {place for mark, place in marks.items() if mark not in exported} == hidden
    assert full.delete("?cancel=true").status_code == 204
    assert tables_with(engine, [stored_mark_of(*place) for place in everywhere]) == []
    assert tables_with(engine, [full.person.email, "Ada Lovelace", "new@example.org"]) == []


def test_an_erasure_leaves_the_other_side_and_the_invariants_whole(full: Life, engine: Engine) -> None:
    before = dump(engine)
    assert full.delete("?cancel=true").status_code == 204
    full.world.run_database_effects()
    with engine.begin() as db:
        while go_on_erasing(db, settled_after=NOW):
            pass
        assert db.scalar(select(users.c.erasure_ended_at).where(users.c.id == full.person.id)) is not None
        assert [finding for finding in check_all(db) if finding.violations] == []
        other = db.execute(select(users.c.name, users.c.email).where(users.c.id == full.other.id)).one()
        assert tuple(other) == (full.other.name, full.other.email)
    after = dump(engine)
    kept = ("bookings", "sessions", "reviews", "bundle_purchases", "session_metrics")
    for table in kept:
        assert len(after[table].splitlines()) == len(before[table].splitlines()), table
    assert tables_with(engine, ["Ada Lovelace"]) == []
    shown = full.world.client.get("/bookings", headers=as_user(full.other)).json["items"]
    assert {each["mentor"]["name"] for each in shown if each["mentorProfileId"] == str(full.profile.id)} == {
        "Deleted user"
    }


def test_what_is_open_hinders_a_deletion_and_is_named(full: Life, engine: Engine) -> None:
    before = dump(engine)
    refused = full.delete()
    assert (refused.status_code, refused.json["code"]) == (409, "still_open")
    details = refused.json["details"]
    assert {name: len(ids) for name, ids in details.items()} == {"sessions": 5, "drafts": 2, "bundles": 1}
    with engine.connect() as db:
        open_sessions = select(sessions.c.id).where(sessions.c.status == "scheduled")
        assert set(details["sessions"]) >= {str(each) for each in db.scalars(open_sessions)}
    assert dump(engine) == before


def test_cancelling_follows_the_policies_with_their_fees(life: Life, engine: Engine) -> None:
    with engine.begin() as db:
        free = factories.make_listing(db, life.other_profile)
        strict = factories.make_listing(db, life.other_profile, cancellation_window_hours=None, duration_minutes=30)
        own = factories.make_listing(db, life.profile)
        as_mentee = [factories.make_session(db, listing=each, mentee=life.person) for each in (free, strict)]
        as_its_mentor = factories.make_session(db, listing=own, mentee=life.other)
        draft = factories.make_booking(db, listing=own, mentee=life.other)
        bundle = factories.make_bundle(db, mentee=life.person)
    assert life.delete("?cancel=true").status_code == 204
    life.world.run_database_effects()
    with engine.connect() as db:
        costs = {
            row.id: (row.status, row.cancellation["cancelledBy"], row.cancellation["fee"]["amount"],
                     row.cancellation["refund"]["amount"], row.cancellation["reason"])
            for row in db.execute(select(sessions))
        }  # fmt: skip
        status = db.scalar(select(bookings.c.status).where(bookings.c.id == draft.id))
        left = db.scalar(select(bundle_purchases.c.remaining_sessions).where(bundle_purchases.c.id == bundle.id))
    reason = "The account was deleted."
    assert costs == {
        as_mentee[0].id: ("cancelled", "mentee", 0, 4000, reason),
        as_mentee[1].id: ("cancelled", "mentee", 4000, 0, reason),
        as_its_mentor.id: ("cancelled", "mentor", 0, 4000, reason),
    }
    assert (status, left) == ("declined", 0)
    titles = [
        each["title"] for each in life.world.client.get("/notifications", headers=as_user(life.other)).json["items"]
    ]
    assert "Your session with Deleted user was cancelled" in titles


def test_the_other_side_can_still_read_what_was_cancelled(life: Life, engine: Engine) -> None:
    with engine.begin() as db:
        own = factories.make_listing(db, life.profile)
        factories.make_session(db, listing=own, mentee=life.other)
    assert life.delete("?cancel=true").status_code == 204
    life.world.run_database_effects()
    with engine.begin() as db:
        while go_on_erasing(db, settled_after=NOW):
            pass
        written = db.execute(text("SELECT channel, body FROM notifications WHERE kind = 'session_cancelled'")).all()
    told = {row.channel: row.body for row in written}
    assert told.keys() == {"in_app", "email"}
    assert all("$40.00 will be refunded" in body for body in told.values())


def test_a_session_in_progress_has_to_end_first(life: Life, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, life.other_profile)
        session = factories.start_session(db, factories.make_session(db, listing=listing, mentee=life.person))
    refused = life.delete("?cancel=true")
    assert (refused.status_code, refused.json["details"]["sessions"]) == (409, [str(session.id)])
    life.world.client.post(f"/sessions/{session.id}/void", json={"reason": "gone"}, headers=as_operator())
    assert life.delete("?cancel=true").status_code == 204


def test_nothing_of_the_person_acts_any_more(life: Life, engine: Engine) -> None:
    client = life.world.client
    assert life.delete().status_code == 204
    for headers in (life.headers, as_mentor(life.profile), {**as_user(life.person)}):
        assert client.get("/me", headers=headers).status_code == 401
    assert life.delete().status_code == 401
    again = {"email": life.person.email, "name": "Ada Lovelace"}
    assert client.post("/users", json=again, headers=as_operator()).status_code == 201
    profile = f"/mentor-profiles/{life.profile.id}"
    for change in ({"active": True}, {"headline": "Ada"}, {"bio": "Ada"}, {}):
        assert client.patch(profile, json=change, headers=as_operator()).status_code == 404
    assert client.get("/mentors", headers=as_user(life.other)).json["items"][0]["id"] == str(life.other_profile.id)
    with engine.begin() as db:
        product = factories.make_product(db, factories.make_course(db))
    book = {"courseId": str(product.course_id), "studentId": str(life.person.id), "durationMinutes": 60}
    start = factories.next_slot().isoformat()
    answer = client.post("/bookings/individual", json={**book, "startTime": start}, headers=as_operator())
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    made = client.post("/mentor-profiles", json={"userId": str(life.person.id), "headline": "x"}, headers=as_operator())
    assert made.status_code == 404


def test_no_token_makes_the_account_again(life: Life, engine: Engine) -> None:
    world = World.on(engine, jwt_provision_users=True)
    claims = {"sub": str(life.person.id), "email": life.person.email, "email_verified": True, "name": "Ada Lovelace"}
    assert world.client.get("/me", headers=bearer(claims)).status_code == 200
    assert life.delete().status_code == 204
    assert world.client.get("/me", headers=bearer(claims)).status_code == 401
    assert tables_with(engine, [life.person.email, "Ada Lovelace"]) == []


def test_a_mentor_of_many_changes_can_be_deleted(life: Life, engine: Engine) -> None:
    used_up = "INSERT INTO quota_usage (kind, subject_id, used_until) VALUES ('availability.changed', :id, :until)"
    execute(engine, text(used_up), {"id": life.profile.id, "until": datetime.now(UTC) + timedelta(days=1)})
    assert life.delete().status_code == 204


def test_a_deletion_honours_the_version_that_is_named(life: Life) -> None:
    stale = life.world.client.delete("/me", headers=life.headers | {"If-Match": '"7"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    tag = life.world.client.get("/me", headers=life.headers).headers["ETag"]
    assert life.world.client.delete("/me", headers=life.headers | {"If-Match": tag}).status_code == 204


def test_an_answer_that_an_erasure_took_is_not_given_again(world: World, cast: Cast, reviewed: Review) -> None:
    path = f"/sessions/{reviewed.session_id}/review/answer"
    assert world.client.post(path, json={"answer": "Thank you."}, headers=cast.as_mentor).status_code in (200, 201)
    assert world.client.delete("/me?cancel=true", headers=cast.as_mentee).status_code == 204
    world.run_database_effects()
    again = world.client.post(path, json={"answer": "Good riddance."}, headers=cast.as_mentor)
    assert (again.status_code, again.json["code"]) == (409, "already_answered")
    (shown,) = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=cast.as_mentor).json["items"]
    assert (shown["answer"], shown["answeredAt"] is None) == (None, False)


@pytest.mark.parametrize("query", ["?cancel=yes", "?cancel=", "?really=true"])
def test_a_deletion_asked_for_in_other_words_is_refused(life: Life, query: str) -> None:
    answer = life.delete(query)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_an_export_is_there_for_people_alone(life: Life) -> None:
    assert life.world.client.get("/me/export").status_code == 401
    assert life.world.client.get("/me/export", headers=as_operator()).status_code == 403
    assert life.world.client.delete("/me", headers=as_operator()).status_code == 403


def test_an_export_of_an_empty_account_has_every_key(life: Life) -> None:
    exported = life.world.client.get("/me/export", headers=as_user(life.other)).json
    assert list(exported) == [
        "user", "mentorProfile", "listings", "bookings", "sessions", "rescheduleProposals",
        "seats", "bundles", "payments", "reviews",
        "notifications", "preferences", "calendarFeeds", "holds", "audit",
    ]  # fmt: skip
    assert exported["user"]["email"] == life.other.email


def test_the_document_has_every_key_of_an_export(full: Life) -> None:
    exported, schemas = full.export(), json.loads(served_document())["components"]["schemas"]
    assert schemas["Export"]["properties"].keys() == exported.keys()
    of_profile = schemas["ExportedProfile"]["allOf"][1]["properties"].keys()
    assert of_profile == exported["mentorProfile"].keys() - schemas["MentorProfile"]["properties"].keys()
    of_user = schemas["ExportedUser"]["allOf"][1]["properties"].keys()
    assert of_user == exported["user"].keys() - schemas["User"]["properties"].keys()


def test_an_export_shows_what_the_person_sees_and_no_more(full: Life, engine: Engine) -> None:
    execute(engine, update(sessions).values(feedback=SEALER.seal("for the mentor alone"), rating=4))
    exported = full.export()
    by_mentor = {each["mentorProfileId"]: each["feedback"] for each in exported["sessions"]}
    assert by_mentor == {str(full.profile.id): "for the mentor alone", str(full.other_profile.id): None}
    listed = full.world.client.get("/bookings?limit=100", headers=as_mentor(full.profile)).json["items"]
    assert {each["id"] for each in exported["bookings"]} >= {each["id"] for each in listed}
    assert full.other.email not in json.dumps(exported)
    assert {each["state"] for each in exported["seats"]} == {"taken", "left"}


def test_an_export_reads_pages_and_keeps_none(life: Life, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, life.other_profile)
        made = [str(factories.make_booking(db, listing=listing, mentee=life.person).id) for _ in range(205)]
    answer = life.world.client.get("/me/export", headers=life.headers)
    assert sorted(each["id"] for each in answer.json["bookings"]) == sorted(made)
    assert "Content-Length" not in answer.headers


def test_a_large_account_is_erased_in_pages_by_maintain(full: Life, engine: Engine) -> None:
    with engine.begin() as db:
        leave_marks(db, full)
    with engine.begin() as db:
        erase(db, user_id=full.person.id, mentor_profile_id=full.profile.id, page_rows=1)
    marks = {mark_of(table, column) for table, column in markable()} - {"mk-deliveries-last-error-km"}
    assert tables_with(engine, marks) != []
    rounds = 0
    with engine.begin() as db:
        assert not go_on_erasing(db)
    while True:
        with engine.begin() as db:
            if not go_on_erasing(db, page_rows=2, settled_after=NOW):
                break
        rounds += 1
    assert rounds > 5
    assert tables_with(engine, marks) == []


def test_an_account_whose_erasure_fails_holds_up_no_other(life: Life, engine: Engine) -> None:
    for person, profile in ((life.person, life.profile), (life.other, life.other_profile)):
        with engine.begin() as db:
            erase(db, user_id=person.id, mentor_profile_id=profile.id)
    with engine.begin() as db:
        db.exec_driver_sql(FAILING_ERASURE.format(life.person.id))
    ended = select(users.c.id).where(users.c.erasure_ended_at.is_not(None))
    try:
        for _round in range(100):
            with suppress(DBAPIError), engine.begin() as db:
                go_on_erasing(db, settled_after=NOW)
            if scalars(engine, ended).all():
                break
        assert scalars(engine, ended).all() == [life.other.id]
    finally:
        with engine.begin() as db:
            db.exec_driver_sql("DROP FUNCTION fail CASCADE")


def test_events_hold_no_words_of_people(full: Life, engine: Engine) -> None:
    values = {json.dumps(row.data) for row in execute(engine, select(events))}
    words = [full.person.name, full.person.email, full.other.name, full.other.email, "new@example.org"]
    assert [word for word in words for data in values if word in data] == []


def test_what_waits_to_be_sent_to_the_person_is_cancelled(full: Life, engine: Engine) -> None:
    targets = {str(full.person.id), "new_address", "former_address"}
    browsers = set(map(str, scalars(engine, select(push_subscriptions.c.id))))
    waiting = select(deliveries.c.target, deliveries.c.effect).where(
        deliveries.c.state == "pending", deliveries.c.effect.in_(("mail.send", "push.send"))
    )
    before = {row.target for row in execute(engine, waiting)}
    assert before > targets | browsers
    assert full.delete("?cancel=true").status_code == 204
    assert {row.target for row in execute(engine, waiting)} == {str(full.other.id)}
    full.world.run_database_effects()
    assert {row.target for row in execute(engine, waiting)} == {str(full.other.id)}


def test_a_place_on_a_waiting_list_is_exported_and_given_up(life: Life, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, life.other_profile)
        group = factories.make_group_session(db, [factories.make_user(db)], listing=listing)
        db.execute(update(group_sessions).values(capacity=1))
    life.post(f"/group-sessions/{group.booking_id}/waitlist", life.headers)
    (seat,) = life.export()["seats"]
    assert (seat["bookingId"], seat["state"], seat["offeredUntil"]) == (str(group.booking_id), "waiting", None)
    assert life.delete().status_code == 204
    assert execute(engine, select(waitlist_entries)).all() == []


def test_reports_still_count_what_was(full: Life, engine: Engine) -> None:
    counted = full.world.client.get("/analytics/sessions", headers=as_operator())
    assert full.delete("?cancel=true").status_code == 204
    profile = execute(engine, select(mentor_profiles).where(mentor_profiles.c.id == full.profile.id)).one()
    assert (profile.active, profile.review_count) == (False, 1)
    assert counted.status_code == 200
    assert UUID(str(profile.user_id)) == full.person.id
