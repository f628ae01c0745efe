"""Individual sessions of a course over HTTP: who is booked, for whom, what is paid, and what is refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, text

from models.calendar import person_busy
from models.catalog import ProductKind
from models.events import events
from tests import factories
from tests.api.conftest import HOUR, MONDAY, Tuition, nothing_written, refusal
from tests.api.test_waiting import Worker
from tests.application import World, as_mentor
from tests.statements import statements_of


def test_a_named_mentor_is_booked_at_once(world: World, tuition: Tuition) -> None:
    mentor = tuition.mentors[1]
    answer = tuition.book(mentorProfileId=str(mentor.id), title="Eigenvalues", notes="Please", metadata={"a": 1})
    booking = answer.json
    assert (answer.status_code, booking["status"], booking["kind"]) == (202, "accepted", "individual")
    assert (booking["mentorProfileId"], booking["courseId"]) == (str(mentor.id), str(tuition.course.id))
    assert (booking["startTime"], booking["endTime"]) == ("2030-05-06T09:00:00Z", "2030-05-06T10:00:00Z")
    assert (booking["productId"], booking["bundlePurchaseId"]) == (str(tuition.product.id), None)
    assert booking["price"] == {"amount": 5000, "currency": "EUR"}
    assert (booking["title"], booking["notes"], booking["metadata"]) == ("Eigenvalues", "Please", {"a": 1})
    assert "series" not in booking
    assert answer.headers["Location"] == f"/sessions/{booking['sessionId']}"
    world.run_session_effects()
    session = tuition.client.get(answer.headers["Location"], headers=tuition.cast.as_mentee).json
    assert session is not None
    assert (session["bookingId"], session["status"]) == (booking["id"], "scheduled")
    shown = {"id": session["id"], "status": "scheduled"}
    seen = tuition.client.get(f"/bookings/{booking['id']}", headers=tuition.cast.as_mentee).json
    assert seen == {**booking, "session": shown}


def test_dates_and_students_and_assistants_are_understood(tuition: Tuition) -> None:
    mentor, mentee = tuition.mentors[2], tuition.cast.mentee
    answer = tuition.book(
        startTime=None, date="2030-05-06T09:00:00.000Z", taId=str(mentor.id), studentId=str(mentee.id)
    )
    assert answer.status_code == 202
    assert (answer.json["mentorProfileId"], answer.json["menteeUserId"]) == (str(mentor.id), str(mentee.id))
    assert answer.json["startTime"] == "2030-05-06T09:00:00Z"


def test_other_names_are_understood_and_may_agree(tuition: Tuition) -> None:
    mentor = str(tuition.mentors[0].id)
    answer = tuition.book(coachId=mentor, taId=mentor, mentorProfileId=mentor, description="Please")
    assert (answer.json["mentorProfileId"], answer.json["notes"]) == (mentor, "Please")


@pytest.mark.parametrize(
    ("fields", "blamed"),
    [
        ({"taId": str(uuid4()), "mentorProfileId": str(uuid4())}, "taId"),
        ({"taId": str(uuid4()), "coachId": str(uuid4())}, "coachId"),
        ({"date": "2030-05-07T09:00:00Z"}, "date"),
        ({"notes": "a", "description": "b"}, "description"),
        ({"startTime": None}, "startTime"),
        ({"startTime": "2030-05-06T09:00:00"}, "startTime"),
        ({"productId": str(uuid4()), "bundlePurchaseId": str(uuid4())}, "bundlePurchaseId"),
        ({"durationMinutes": None}, "durationMinutes"),
        ({"recurrence": {}}, "recurrence.count"),
        ({"recurrence": {"count": 2, "until": "2030-06-01"}}, "recurrence.count"),
        ({"recurrence": {"count": 53}}, "recurrence.count"),
        ({"recurrence": {"count": 0}}, "recurrence.count"),
        ({"recurrence": {"until": "20300601"}}, "recurrence.until"),
        ({"recurrence": {"until": "2030-05-05"}}, "recurrence.until"),
        ({"recurrence": {"count": 2, "everyWeeks": 0}}, "recurrence.everyWeeks"),
        ({"recurrence": {"count": 2, "onConflict": "ask"}}, "recurrence.onConflict"),
        ({"timeZone": "Berlin"}, "timeZone"),
        ({"price": 0}, "price"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(
    engine: Engine, tuition: Tuition, fields: dict[str, Any], blamed: str
) -> None:
    with nothing_written(engine):
        answer = tuition.book(**fields)
        assert (refusal(answer), list(answer.json["details"])) == ((400, "invalid_request"), [blamed])


@pytest.mark.parametrize("names", [["startTime"], ["date"], ["startTime", "date"]])
def test_a_start_that_is_null_is_missing(tuition: Tuition, names: list[str]) -> None:
    body = {"courseId": str(tuition.course.id), "durationMinutes": 60, **dict.fromkeys(names)}
    answer = tuition.client.post("/bookings/individual", json=body, headers=tuition.cast.as_mentee)
    assert (refusal(answer), list(answer.json["details"])) == ((400, "invalid_request"), ["startTime"])


def test_without_a_name_the_least_booked_mentor_is_chosen(tuition: Tuition) -> None:
    first, second, third = (str(mentor.id) for mentor in tuition.mentors)
    chosen = [tuition.book(startTime=(MONDAY + day * 24 * HOUR).isoformat()).json for day in range(5)]
    # Equally many minutes in that week: the smallest id.
    assert [booking["mentorProfileId"] for booking in chosen] == [first, second, third, first, second]
    next_week = tuition.book(startTime=(MONDAY + timedelta(weeks=1)).isoformat())
    assert next_week.json["mentorProfileId"] == first


def test_cancelled_sessions_do_not_count_as_booked(world: World, tuition: Tuition) -> None:
    first = tuition.book().json
    world.run_session_effects()
    path = f"/sessions/{first['sessionId']}/cancel"
    assert tuition.client.post(path, json={"reason": "Ill"}, headers=tuition.cast.as_mentee).status_code == 200
    assert tuition.book(startTime=(MONDAY + 3 * HOUR).isoformat()).json["mentorProfileId"] == first["mentorProfileId"]


def test_the_week_is_that_of_iso_8601(tuition: Tuition) -> None:
    first, second, third = (str(mentor.id) for mentor in tuition.mentors)
    edge = MONDAY.replace(hour=0)
    # The end of the week before, and the first hour of this one.
    assert tuition.book(startTime=(edge - HOUR).isoformat()).json["mentorProfileId"] == first
    assert tuition.book(startTime=edge.isoformat()).json["mentorProfileId"] == second, "the first has a buffer"
    assert tuition.book(startTime=(edge + 5 * HOUR).isoformat()).json["mentorProfileId"] == first
    assert tuition.book(startTime=(edge + 167 * HOUR).isoformat()).json["mentorProfileId"] == third


def test_those_who_are_taken_or_away_are_not_chosen(tuition: Tuition) -> None:
    first, second, third = tuition.mentors
    # The buffer after a session counts too.
    assert tuition.book(taId=str(first.id), startTime=(MONDAY - HOUR).isoformat()).status_code == 202
    tuesdays = {"hours": [{"weekday": 1, "startTime": "08:00", "endTime": "12:00"}]}
    tuition.client.put(f"/mentors/{second.id}/hours", json=tuesdays, headers=as_mentor(second))
    assert tuition.book().json["mentorProfileId"] == str(third.id)
    assert refusal(tuition.book(tuition.cast.as_stranger)) == (409, "no_mentor_free")
    named = tuition.book(tuition.cast.as_stranger, taId=str(second.id))
    assert refusal(named) == (409, "outside_hours")


def test_a_listings_notice_is_respected(engine: Engine, tuition: Tuition) -> None:
    mentor, soon = tuition.mentors[0], factories.this_hour() + 5 * HOUR
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        factories.make_listing(db, mentor, course_id=course.id, min_notice_minutes=600)
    asked = {"courseId": str(course.id), "startTime": soon.isoformat()}
    assert refusal(tuition.book(**asked, taId=str(mentor.id))) == (409, "too_soon")
    assert refusal(tuition.book(**asked)) == (409, "no_mentor_free")


def test_mentors_are_never_chosen_for_themselves(tuition: Tuition) -> None:
    first, second, _third = tuition.mentors
    acting = as_mentor(first)
    assert tuition.book(acting).json["mentorProfileId"] == str(second.id)
    named = tuition.book(acting, mentorProfileId=str(first.id))
    assert (refusal(named), list(named.json["details"])) == ((400, "invalid_request"), ["mentorProfileId"])


def test_a_start_must_lie_ahead_within_five_years(tuition: Tuition) -> None:
    answer = tuition.book(startTime=factories.this_hour().isoformat())
    assert (refusal(answer), list(answer.json["details"])) == ((400, "invalid_request"), ["startTime"])
    too_far = factories.this_hour() + timedelta(days=6 * 366)
    assert refusal(tuition.book(startTime=too_far.isoformat())) == (409, "beyond_horizon")


def test_a_duration_that_is_not_offered_has_no_listing(engine: Engine, tuition: Tuition) -> None:
    with engine.begin() as db:
        factories.make_listing(db, tuition.mentors[0], course_id=tuition.course.id, duration_minutes=30)
    assert refusal(tuition.book(durationMinutes=45)) == (409, "no_listing")
    assert refusal(tuition.book(durationMinutes=30, taId=str(tuition.mentors[1].id))) == (409, "no_listing")
    assert tuition.book(durationMinutes=30).json["mentorProfileId"] == str(tuition.mentors[0].id)


def test_what_is_inactive_cannot_be_booked(tuition: Tuition) -> None:
    first = tuition.mentors[0]
    path = f"/products/{tuition.product.id}"
    assert tuition.book().status_code == 202
    listing = next(
        item["id"]
        for item in tuition.client.get(f"/listings?mentorProfileId={first.id}", headers=tuition.cast.as_mentee).json[
            "items"
        ]
    )
    tuition.client.patch(f"/listings/{listing}", json={"active": False}, headers=as_mentor(first))
    later = {"startTime": (MONDAY + 24 * HOUR).isoformat()}
    assert refusal(tuition.book(taId=str(first.id), **later)) == (400, "mentor_does_not_teach")
    assert tuition.book(**later).json["mentorProfileId"] != str(first.id)
    tuition.client.patch(
        f"/courses/{tuition.course.id}{path}", json={"active": False}, headers=tuition.cast.as_operator
    )
    assert refusal(tuition.book(productId=str(tuition.product.id))) == (404, "not_found")
    tuition.client.patch(f"/courses/{tuition.course.id}", json={"active": False}, headers=tuition.cast.as_operator)
    assert refusal(tuition.book()) == (404, "not_found")


def test_a_bundle_pays_for_an_inactive_course_as_money_does(engine: Engine, tuition: Tuition) -> None:
    with engine.begin() as db:
        bundle = factories.make_bundle(db, course=tuition.course, mentee=tuition.cast.mentee)
    tuition.client.patch(f"/courses/{tuition.course.id}", json={"active": False}, headers=tuition.cast.as_operator)
    paid = tuition.book(productId=None, bundlePurchaseId=str(bundle.id))
    assert (paid.status_code, paid.json["bundlePurchaseId"]) == (202, str(bundle.id))
    assert refusal(tuition.book(productId=str(tuition.product.id))) == (404, "not_found")
    assert refusal(tuition.book(bundlePurchaseId=str(uuid4()))) == (404, "not_found")


def test_an_operator_books_for_anyone_and_names_whom(engine: Engine, tuition: Tuition) -> None:
    cast = tuition.cast
    nameless = tuition.book(cast.as_operator)
    assert (refusal(nameless), list(nameless.json["details"])) == ((400, "invalid_request"), ["studentId"])
    answer = tuition.book(cast.as_operator, studentId=str(cast.stranger.id))
    assert (answer.status_code, answer.json["menteeUserId"]) == (202, str(cast.stranger.id))
    assert tuition.client.get(f"/bookings/{answer.json['id']}", headers=cast.as_stranger).status_code == 200
    with engine.connect() as db:
        booked = select(events.c.actor).where(events.c.subject_id == UUID(answer.json["id"]))
        assert db.scalars(booked).all() == ["operator:operator-1"]


def test_no_mentee_books_for_another_person(tuition: Tuition) -> None:
    for other in (tuition.cast.stranger.id, uuid4()):
        assert refusal(tuition.book(studentId=str(other))) == (403, "forbidden")


def test_the_only_product_that_fits_is_paid_and_else_one_is_named(engine: Engine, tuition: Tuition) -> None:
    with engine.begin() as db:
        # None of these pays for a single session of an hour.
        factories.make_product(db, tuition.course, ProductKind.BUNDLE, session_count=5)
        factories.make_product(db, tuition.course, ProductKind.GROUP_SEAT)
        factories.make_product(db, tuition.course, duration_minutes=30)
        factories.make_product(db, tuition.course, active=False)
    assert tuition.book().json["productId"] == str(tuition.product.id)
    with engine.begin() as db:
        second = factories.make_product(db, tuition.course, duration_minutes=60, price_amount=1)
    later = {"startTime": (MONDAY + 3 * HOUR).isoformat()}
    several = tuition.book(**later)
    assert (refusal(several), list(several.json["details"])) == ((400, "invalid_request"), ["productId"])
    named = tuition.book(**later, productId=str(second.id))
    assert named.json["price"] == {"amount": 1, "currency": "USD"}


def test_a_course_without_a_product_needs_a_bundle(engine: Engine, tuition: Tuition) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_listing(db, tuition.mentors[0], course_id=course.id)
    answer = tuition.book(courseId=str(course.id))
    assert (refusal(answer), list(answer.json["details"])) == ((400, "invalid_request"), ["productId"])
    assert "no product" in answer.json["message"]


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": ProductKind.BUNDLE, "session_count": 5},
        {"kind": ProductKind.GROUP_SEAT},
        {"duration_minutes": 30},
        {"active": False},
    ],
)
def test_a_product_that_does_not_fit_is_not_found(engine: Engine, tuition: Tuition, columns: dict[str, Any]) -> None:
    with engine.begin() as db:
        product = factories.make_product(db, tuition.course, **columns)
    assert refusal(tuition.book(productId=str(product.id))) == (404, "not_found")


@pytest.mark.parametrize(("currency", "amount"), [("EUR", 0), ("JPY", 3000), ("KWD", 12345)])
def test_prices_of_any_currency_are_booked(engine: Engine, tuition: Tuition, currency: str, amount: int) -> None:
    with engine.begin() as db:
        product = factories.make_product(db, tuition.course, price_amount=amount, price_currency=currency)
    answer = tuition.book(productId=str(product.id))
    assert answer.json["price"] == {"amount": amount, "currency": currency}


def test_a_mentee_who_is_booked_already_is_refused(engine: Engine, tuition: Tuition) -> None:
    first, second, _third = (str(mentor.id) for mentor in tuition.mentors)
    assert tuition.book(taId=first).status_code == 202
    with nothing_written(engine):
        for mentor in (second, None):
            answer = tuition.book(taId=mentor, startTime=(MONDAY + HOUR / 2).isoformat())
            assert (refusal(answer), list(answer.json["details"])) == ((409, "slot_taken"), ["mentee"])
    # One after the other is no overlap.
    assert tuition.book(taId=second, startTime=(MONDAY + HOUR).isoformat()).status_code == 202


def test_a_setting_lets_a_mentee_be_booked_twice(engine: Engine, tuition: Tuition) -> None:
    allowing = World.on(engine, mentee_overlap=True)
    body = {"courseId": str(tuition.course.id), "durationMinutes": 60, "startTime": MONDAY.isoformat()}
    for _ in range(3):
        answer = allowing.client.post("/bookings/individual", json=body, headers=tuition.cast.as_mentee)
        assert answer.status_code == 202
    none_left = allowing.client.post("/bookings/individual", json=body, headers=tuition.cast.as_mentee)
    assert refusal(none_left) == (409, "no_mentor_free")


_HOLD = """
INSERT INTO person_busy (
    id, user_id, mentor_profile_id, busy, hold_id, held_by_user_id, held_start, held_end, expires_at
)
SELECT gen_random_uuid(), :user, :mentor, tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)),
       gen_random_uuid(), :holder, CAST(:start AS timestamptz), CAST(:end AS timestamptz),
       now() + CAST(:lasts AS interval)
"""


@pytest.mark.parametrize(("free", "lasts", "holder"), [(0, "-1 minute", "stranger"), (1, "1 minute", "mentee")])
def test_only_lasting_holds_of_others_are_in_the_way(
    engine: Engine, tuition: Tuition, free: int, lasts: str, holder: str
) -> None:
    with engine.begin() as db:
        for number, mentor in enumerate(tuition.mentors):
            hold = {"lasts": lasts, "holder": holder} if number == free else {"lasts": "1 minute", "holder": "stranger"}
            hold["holder"] = getattr(tuition.cast, hold["holder"]).id
            db.execute(
                text(_HOLD),
                {"user": mentor.user_id, "mentor": mentor.id, "start": MONDAY, "end": MONDAY + HOUR, **hold},
            )
    assert tuition.book().json["mentorProfileId"] == str(tuition.mentors[free].id)
    with engine.connect() as db:
        of_mentor = select(person_busy).where(person_busy.c.mentor_profile_id == tuition.mentors[free].id)
        assert [row.hold_id for row in db.execute(of_mentor)] == [None]


def test_a_key_books_once(tuition: Tuition) -> None:
    keyed = tuition.cast.as_mentee | {"Idempotency-Key": "one"}
    first, again = tuition.book(keyed), tuition.book(keyed)
    assert (first.status_code, again.status_code, again.json) == (202, 202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_booking_makes_few_statements(world: World, tuition: Tuition) -> None:
    with statements_of(world.engine) as made:
        assert tuition.book(taId=str(tuition.mentors[0].id)).status_code == 202
    assert len(made.statements) == 6, "the caller, what is named, the product, the offer, the booking, its event"
    later = {"startTime": (MONDAY + 24 * HOUR).isoformat()}
    with statements_of(world.engine) as made:
        assert tuition.book(**later).status_code == 202
    assert len(made.statements) == 8, "a savepoint besides, and its end"
    assert made.commits == 1


def test_who_waits_gets_booking_and_session(world: World, tuition: Tuition) -> None:
    with Worker(world):
        answer = tuition.book(tuition.cast.as_mentee | {"Prefer": "wait=5"})
    assert (answer.status_code, set(answer.json)) == (201, {"booking", "session"})
    assert answer.json["session"]["id"] == answer.json["booking"]["sessionId"]
