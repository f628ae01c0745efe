"""Payments over HTTP: bookings that are paid before they are given, confirmed, waived, cancelled and refunded."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select, update

from models.calendar import person_busy
from models.catalog import BookingMode, ProductKind
from models.events import events
from models.payments import PaymentMode
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_after_the_fact import make_past
from tests.application import ApiResponse, World, as_user
from tests.queries import broken_invariants
from workflows.catalog.listings import Listing
from workflows.payments.records import PAYMENT, Payment
from workflows.sessions.actions import create as create_session
from workflows.settlements.actions import lapse

PRICE = {"amount": 4000, "currency": "USD"}


@dataclass(frozen=True)
class Till:
    """A listing that is paid before, and the steps of its payments."""

    world: World
    cast: Cast
    engine: Engine
    listing: Listing

    def book(self, **fields: Any) -> dict[str, Any]:
        body = self.cast.body(listingId=str(self.listing.id), **fields)
        answer = self.world.client.post("/bookings", json=body, headers=self.cast.as_mentee)
        assert answer.status_code == 201, answer.json
        booking: dict[str, Any] = answer.json
        return booking

    def post(self, path: str, body: dict[str, Any] | None = None, headers: Any = None) -> ApiResponse:
        return self.world.client.post(path, json=body or {}, headers=headers or self.cast.as_operator)

    def get(self, path: str, headers: Any = None) -> dict[str, Any]:
        answer = self.world.client.get(path, headers=headers or self.cast.as_mentee)
        assert answer.status_code == 200, answer.json
        shown: dict[str, Any] = answer.json
        return shown

    def confirm(self, payment: dict[str, Any], reference: str = "pi_1", **body: Any) -> ApiResponse:
        whole = {"reference": reference, "amount": payment["amount"], **body}
        return self.post(f"/payments/{payment['id']}/confirm", whole)

    def lapse(self, payment: dict[str, Any]) -> None:
        """What the timer does when it is due."""
        with self.engine.begin() as db:
            found = Payment.of(db.execute(PAYMENT, {"id": payment["id"]}).one())
            lapse(db, payment=found, now=found.due_at)

    def blocks(self, booking: dict[str, Any]) -> int:
        with self.engine.begin() as db:
            return db.execute(select(func.count()).where(person_busy.c.booking_id == booking["id"])).scalar_one()

    def types(self, *ids: str) -> list[str]:
        with self.engine.begin() as db:
            query = select(events.c.type).where(events.c.subject_id.in_(ids)).order_by(events.c.sequence)
            return list(db.scalars(query))

    def require_sound(self) -> None:
        assert not broken_invariants(self.engine)


@pytest.fixture
def till(world: World, cast: Cast, engine: Engine) -> Till:
    """An instant listing for 40 dollars."""
    return Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.INSTANT))


def make_listing(engine: Engine, cast: Cast, **offer: Any) -> Listing:
    with engine.begin() as db:
        return factories.make_listing(db, cast.mentor, payment_mode=PaymentMode.BEFORE, **offer)


def test_an_instant_booking_waits_for_its_payment(till: Till) -> None:
    booking = till.book()
    payment = booking["payment"]
    assert (booking["status"], booking["sessionId"]) == ("awaiting_payment", None)
    assert (payment["for"], payment["bookingId"], payment["status"]) == ("booking", booking["id"], "awaiting")
    assert (payment["amount"], payment["refundDue"]["amount"], payment["refunds"]) == (PRICE, 0, [])
    due = datetime.fromisoformat(payment["dueAt"]) - datetime.fromisoformat(payment["createdAt"])
    assert timedelta(minutes=29) < due <= timedelta(minutes=31)
    assert till.blocks(booking) == 2
    assert till.get(f"/bookings/{booking['id']}") == booking
    (listed,) = till.get("/bookings?status=awaiting_payment")["items"]
    assert listed["payment"] == payment == till.get(f"/payments/{payment['id']}")
    assert till.types(booking["id"], payment["id"]) == ["booking.awaiting_payment", "payment.awaiting"]
    till.require_sound()


def test_events_name_everything_by_the_ids_of_the_marketplace(till: Till) -> None:
    people = {"users": till.cast.mentee.id, "mentor-profiles": till.cast.mentor.id}
    for name, id in people.items():
        path = f"/{name}/{id}"
        named = till.world.client.patch(path, json={"externalId": f"of/{name}"}, headers=till.cast.as_operator)
        assert named.status_code == 200, named.json
    payment = till.book(externalId="order/7")["payment"]
    till.confirm(payment)
    with till.engine.begin() as db:
        query = select(events.c.data).where(events.c.subject_id == payment["id"]).order_by(events.c.sequence)
        told = list(db.scalars(query))
    assert len(told) == 2
    for data in told:
        assert {name: value for name, value in data.items() if "external_id" in name} == {
            "booking_external_id": "order/7",
            "bundle_purchase_external_id": None,
            "user_external_id": "of/users",
            "mentor_profile_external_id": "of/mentor-profiles",
        }


def test_nobody_else_gets_its_time(till: Till) -> None:
    booking = till.book()
    body = till.cast.body(listingId=str(till.listing.id), startTime=booking["startTime"])
    answer = till.post("/bookings", body, till.cast.as_stranger)
    assert (answer.status_code, answer.json["code"]) == (409, "slot_taken")


def test_its_payment_accepts_it(till: Till) -> None:
    booking = till.book()
    paid = till.confirm(booking["payment"])
    assert (paid.status_code, paid.json["status"], paid.json["reference"]) == (200, "paid", "pi_1")
    accepted = till.get(f"/bookings/{booking['id']}")
    assert accepted["status"] == "accepted"
    assert accepted["sessionId"] is not None
    assert accepted["payment"] == paid.json
    assert till.types(booking["id"])[-1] == "booking.accepted"
    again = till.confirm(booking["payment"])
    assert (again.status_code, again.json) == (200, paid.json)


def test_a_request_is_paid_after_its_acceptance(till: Till, cast: Cast, engine: Engine) -> None:
    asked = Till(till.world, cast, engine, make_listing(engine, cast)).book()
    assert (asked["status"], asked["payment"]) == ("draft", None)
    answer = till.post(f"/bookings/{asked['id']}/accept", headers=cast.as_mentor)
    accepted = answer.json
    assert (answer.status_code, accepted["status"], accepted["sessionId"]) == (200, "awaiting_payment", None)
    assert till.blocks(asked) == 2
    assert till.confirm(accepted["payment"]).status_code == 200
    assert till.get(f"/bookings/{asked['id']}")["status"] == "accepted"
    till.require_sound()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": {"amount": 3999, "currency": "USD"}}, "wrong_amount"),
        ({"amount": {"amount": 4000, "currency": "EUR"}}, "wrong_amount"),
    ],
)
def test_another_amount_is_refused(till: Till, body: dict[str, Any], code: str) -> None:
    refused = till.confirm(till.book()["payment"], **body)
    assert (refused.status_code, refused.json["code"]) == (409, code)
    assert refused.json["details"]["amount"] == PRICE


def test_a_reference_belongs_to_one_payment(till: Till) -> None:
    first, second = till.book()["payment"], till.book()["payment"]
    assert till.confirm(first).status_code == 200
    another = till.confirm(first, "pi_2")
    assert (another.status_code, another.json["code"]) == (409, "already_paid")
    in_use = till.confirm(second)
    assert (in_use.status_code, in_use.json["code"]) == (409, "reference_in_use")
    assert till.get(f"/payments/{second['id']}")["status"] == "awaiting"


def test_without_money_in_time_it_lapses_and_frees_its_time(till: Till) -> None:
    booking = till.book()
    till.lapse(booking["payment"])
    ended = till.get(f"/bookings/{booking['id']}")
    assert (ended["status"], ended["cancelReason"], ended["payment"]["status"]) == ("cancelled", "unpaid", "lapsed")
    assert till.blocks(booking) == 0
    assert till.types(booking["id"], ended["payment"]["id"])[2:] == [
        "booking.cancelled",
        "booking.time_freed",
        "payment.lapsed",
    ]
    till.lapse(booking["payment"])
    till.require_sound()


@pytest.mark.parametrize("end", ["lapsed", "cancelled"])
def test_late_money_is_to_go_back_whole(till: Till, end: str) -> None:
    booking = till.book()
    if end == "lapsed":
        till.lapse(booking["payment"])
    else:
        till.post(f"/bookings/{booking['id']}/cancel", headers=till.cast.as_mentee)
    late = till.confirm(booking["payment"])
    assert (late.status_code, late.json["status"], late.json["refundDue"]) == (200, "paid", PRICE)
    (refund,) = late.json["refunds"]
    assert (refund["amount"], refund["status"], refund["doneAt"]) == (PRICE, "due", None)
    assert till.get(f"/bookings/{booking['id']}")["status"] == "cancelled"
    (owed,) = till.get("/payments?refundDue=true", till.cast.as_operator)["items"]
    assert owed == late.json
    till.require_sound()


@pytest.mark.parametrize("caller", ["as_mentee", "as_mentor", "as_operator"])
def test_either_party_cancels_while_it_waits(till: Till, caller: str) -> None:
    booking = till.book()
    headers = getattr(till.cast, caller)
    answer = till.post(f"/bookings/{booking['id']}/cancel", {"reason": "Another time"}, headers)
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled"), answer.json
    assert (answer.json["payment"]["status"], answer.json["cancelReason"]) == ("cancelled", "Another time")
    assert till.blocks(booking) == 0
    assert till.types(booking["payment"]["id"]) == ["payment.awaiting", "payment.cancelled"]
    till.require_sound()


def test_others_do_not_cancel_it_and_a_draft_is_the_mentees(till: Till, cast: Cast, engine: Engine) -> None:
    booking = till.book()
    assert till.post(f"/bookings/{booking['id']}/cancel", headers=cast.as_stranger).status_code == 403
    draft = Till(till.world, cast, engine, make_listing(engine, cast)).book()
    for headers in (cast.as_mentor, cast.as_operator):
        assert till.post(f"/bookings/{draft['id']}/cancel", headers=headers).status_code == 403


def test_a_cancelled_session_owes_all_but_its_fee(till: Till, engine: Engine, cast: Cast) -> None:
    listing = make_listing(
        engine, cast, booking_mode=BookingMode.INSTANT, cancellation_window_hours=8760, late_fee_percent=25
    )
    booking = Till(till.world, cast, engine, listing).book()
    till.confirm(booking["payment"])
    with engine.begin() as db:
        session = create_session(db, booking_id=UUID(booking["id"]))
        db.execute(
            update(sessions)
            .where(sessions.c.id == session.id)
            .values(created_at=datetime.now(UTC) - timedelta(hours=2))
        )
    cancelled = till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, cast.as_mentee)
    assert cancelled.json["cancellation"]["refund"]["amount"] == 3000, cancelled.json
    payment = till.get(f"/payments/{booking['payment']['id']}")
    assert (payment["refundDue"]["amount"], payment["refunded"]["amount"]) == (3000, 0)
    waived = till.post(f"/sessions/{session.id}/waive-fee", {"reason": "Goodwill"})
    assert waived.status_code == 200, waived.json
    payment = till.get(f"/payments/{booking['payment']['id']}")
    assert payment["refundDue"]["amount"] == 4000
    # Why it was waived is the audit's alone.
    assert [each["reason"] for each in payment["refunds"]] == ["The session was cancelled.", "The fee was waived."]
    till.require_sound()


def test_staff_grants_refunds_up_to_what_was_paid(till: Till) -> None:
    booking = till.book()
    path = f"/payments/{booking['payment']['id']}/refunds"
    early = till.post(path, {"amount": {"amount": 1, "currency": "USD"}, "reason": "Too early"})
    assert (early.status_code, early.json["code"]) == (409, "refund_exceeds_payment")
    till.confirm(booking["payment"])
    granted = till.post(path, {"amount": {"amount": 1500, "currency": "USD"}, "reason": "Goodwill"})
    assert (granted.status_code, granted.json["refundDue"]["amount"]) == (201, 1500)
    more = till.post(path, {"amount": {"amount": 2501, "currency": "USD"}, "reason": "Too much"})
    assert (more.status_code, more.json["code"]) == (409, "refund_exceeds_payment")
    assert more.json["details"]["amount"]["amount"] == 2500
    refund = granted.json["refunds"][0]
    done = till.post(f"{path}/{refund['id']}/done", {"reference": "re_1"})
    assert (done.status_code, done.json["refundDue"]["amount"], done.json["refunded"]["amount"]) == (200, 0, 1500)
    assert (done.json["refunds"][0]["status"], done.json["refunds"][0]["reference"]) == ("done", "re_1")
    assert till.post(f"{path}/{refund['id']}/done", {"reference": "re_1"}).json == done.json
    other = till.post(f"{path}/{refund['id']}/done", {"reference": "re_2"})
    assert (other.status_code, other.json["code"]) == (409, "already_refunded")
    assert till.post(f"{path}/{uuid4()}/done", {"reference": "re_3"}).status_code == 404
    assert till.types(booking["payment"]["id"]) == [
        "payment.awaiting",
        "payment.paid",
        "payment.refund_due",
        "payment.refunded",
    ]
    till.require_sound()


def test_a_refund_of_nothing_is_refused(till: Till) -> None:
    payment = till.book()["payment"]
    till.confirm(payment)
    body = {"amount": {"amount": 0, "currency": "USD"}, "reason": "Goodwill"}
    refused = till.post(f"/payments/{payment['id']}/refunds", body)
    assert (refused.status_code, refused.json["details"]) == (400, {"amount.amount": ["must be at least 1"]})


def test_refunds_by_staff_and_by_policy_never_add_up_to_more(till: Till) -> None:
    booking = till.book()
    till.confirm(booking["payment"])
    path = f"/payments/{booking['payment']['id']}"
    till.post(f"{path}/refunds", {"amount": {"amount": 1500, "currency": "USD"}, "reason": "Goodwill"})
    with till.engine.begin() as db:
        session = create_session(db, booking_id=UUID(booking["id"]))
    assert till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, till.cast.as_mentor).status_code == 200
    assert till.get(path)["refundDue"]["amount"] == 4000
    till.require_sound()


def test_a_no_show_that_is_taken_back_owes_what_is_left(till: Till, engine: Engine, cast: Cast) -> None:
    listing = make_listing(
        engine, cast, booking_mode=BookingMode.INSTANT, cancellation_window_hours=24, no_show_fee_percent=50
    )
    booking = Till(till.world, cast, engine, listing).book()
    till.confirm(booking["payment"])
    with engine.begin() as db:
        session = create_session(db, booking_id=UUID(booking["id"]))
    make_past(engine, session)
    path = f"/payments/{booking['payment']['id']}"
    assert till.post(f"/sessions/{session.id}/no-show", {"who": "mentee"}, cast.as_mentor).status_code == 200
    assert till.get(path)["refundDue"]["amount"] == 2000
    goodwill = {"amount": {"amount": 500, "currency": "USD"}, "reason": "Goodwill"}
    assert till.post(f"{path}/refunds", goodwill).json["refundDue"]["amount"] == 2500
    for _ in range(2):
        assert till.post(f"/sessions/{session.id}/no-show/revert", {"reason": "The link failed."}).status_code == 200
        assert [each["amount"]["amount"] for each in till.get(path)["refunds"]] == [2000, 500, 1500]


def test_a_waived_payment_charges_and_refunds_nothing(till: Till) -> None:
    booking = till.book()
    path = f"/payments/{booking['payment']['id']}"
    waived = till.post(f"{path}/waive", {"reason": "A voucher"})
    assert (waived.status_code, waived.json["status"]) == (200, "waived")
    assert till.get(f"/bookings/{booking['id']}")["status"] == "accepted"
    assert till.post(f"{path}/waive", {"reason": "A voucher"}).json == waived.json
    assert till.confirm(booking["payment"]).json["code"] == "invalid_transition"
    with till.engine.begin() as db:
        session = create_session(db, booking_id=UUID(booking["id"]))
    cancelled = till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, till.cast.as_mentor)
    assert cancelled.json["cancellation"]["refund"]["amount"] == 0
    assert till.get(path)["refundDue"]["amount"] == 0
    till.require_sound()


def test_a_series_has_one_payment_and_refunds_its_share(till: Till) -> None:
    body = {
        "mentorProfileId": str(till.cast.mentor.id),
        "listingId": str(till.listing.id),
        "scheduledAt": factories.next_slot().isoformat(),
        "title": "Algebra",
        "recurrence": {"count": 3},
    }
    answer = till.post("/sessions/book", body, till.cast.as_mentee)
    assert answer.status_code == 201, answer.json
    first, made = answer.json["booking"], answer.json["series"]["made"]
    payment = first["payment"]
    assert (payment["for"], payment["seriesId"], payment["amount"]["amount"]) == (
        "series",
        answer.json["series"]["id"],
        12000,
    )
    dropped = made[2]["bookingId"]
    assert till.post(f"/bookings/{dropped}/cancel", headers=till.cast.as_mentee).status_code == 200
    assert till.get(f"/payments/{payment['id']}")["status"] == "awaiting"
    paid = till.confirm(payment).json
    assert (paid["status"], paid["refundDue"]["amount"]) == ("paid", 4000)
    states = [till.get(f"/bookings/{each['bookingId']}")["status"] for each in made]
    assert states == ["accepted", "accepted", "cancelled"]
    with till.engine.begin() as db:
        session = create_session(db, booking_id=UUID(made[1]["bookingId"]))
        create_session(db, booking_id=UUID(made[0]["bookingId"]))
    till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, till.cast.as_mentor)
    assert till.get(f"/payments/{payment['id']}")["refundDue"]["amount"] == 8000
    till.require_sound()


def held_series(till: Till, **changes: Any) -> list[dict[str, Any]]:
    """The bookings of a series whose first time is held, with the terms of the listing before its changes."""
    start, path = factories.next_slot().isoformat(), f"/mentors/{till.cast.mentor.id}/holds"
    held = till.post(path, {"startTime": start, "listingId": str(till.listing.id)}, till.cast.as_mentee)
    assert held.status_code == 201, held.json
    changed = till.world.client.patch(f"/listings/{till.listing.id}", json=changes, headers=till.cast.as_mentor)
    assert changed.status_code == 200, changed.json
    body = {
        "mentorProfileId": str(till.cast.mentor.id),
        "listingId": str(till.listing.id),
        "scheduledAt": start,
        "title": "Algebra",
        "recurrence": {"count": 3},
    }
    answer = till.post("/sessions/book", body, till.cast.as_mentee)
    assert answer.status_code in (201, 202), answer.json
    return [till.get(f"/bookings/{each['bookingId']}") for each in answer.json["series"]["made"]]


def test_nothing_goes_back_for_what_a_series_gives_without_a_payment(engine: Engine, world: World, cast: Cast) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, booking_mode=BookingMode.INSTANT)
    till = Till(world, cast, engine, listing)
    given, *waiting = held_series(till, payment="before")
    assert (given["status"], given["payment"]) == ("accepted", None)
    for number, booking in enumerate(waiting):
        assert booking["status"] == "awaiting_payment"
        paid = till.confirm(booking["payment"], f"pi_{number}").json
        assert (paid["status"], paid["amount"], paid["refundDue"]["amount"]) == ("paid", PRICE, 0)
    till.require_sound()


def test_no_payment_of_a_series_gives_a_request_of_it(engine: Engine, world: World, cast: Cast) -> None:
    till = Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.REQUEST))
    draft, *waiting = held_series(till, bookingMode="instant")
    assert (draft["status"], draft["payment"]) == ("draft", None)
    assert world.client.patch(f"/bookings/{draft['id']}/accept", headers=cast.as_mentor).status_code == 200
    for number, booking in enumerate(waiting):
        till.confirm(booking["payment"], f"pi_{number}")
    asked = till.get(f"/bookings/{draft['id']}")
    assert (asked["status"], asked["payment"]["for"]) == ("awaiting_payment", "booking")
    assert till.confirm(asked["payment"], "pi_own").json["status"] == "paid"
    with engine.begin() as db:
        session = create_session(db, booking_id=UUID(draft["id"]))
    assert till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, cast.as_mentor).status_code == 200
    due = [till.get(f"/payments/{each['payment']['id']}")["refundDue"]["amount"] for each in (asked, *waiting)]
    assert due == [4000, 0, 0]
    till.require_sound()


def test_a_series_that_nobody_pays_lapses_whole(till: Till) -> None:
    body = {
        "mentorProfileId": str(till.cast.mentor.id),
        "listingId": str(till.listing.id),
        "scheduledAt": factories.next_slot().isoformat(),
        "title": "Algebra",
        "recurrence": {"count": 2},
    }
    made = till.post("/sessions/book", body, till.cast.as_mentee).json
    till.lapse(made["booking"]["payment"])
    for each in made["series"]["made"]:
        assert till.get(f"/bookings/{each['bookingId']}")["cancelReason"] == "unpaid"
    assert till.get(f"/payments/{made['booking']['payment']['id']}")["status"] == "lapsed"
    till.require_sound()


def test_a_payment_is_its_persons_its_mentors_and_staffs(till: Till) -> None:
    payment = till.book()["payment"]
    path = f"/payments/{payment['id']}"
    for headers in (till.cast.as_mentee, till.cast.as_mentor, till.cast.as_operator):
        assert till.get(path, headers) == payment
    for headers in (till.cast.as_stranger, till.cast.as_other_mentor):
        assert till.world.client.get(path, headers=headers).status_code == 404
    assert till.get("/payments", till.cast.as_mentee)["items"] == [payment]
    assert till.get("/payments", till.cast.as_stranger)["items"] == []
    other = till.world.client.get(f"/payments?userId={till.cast.mentee.id}", headers=till.cast.as_stranger)
    assert other.status_code == 403


def test_what_waits_is_cancelled_with_the_account(till: Till) -> None:
    booking = till.book()
    headers = as_user(till.cast.mentee)
    assert till.world.client.delete("/me", headers=headers).json["details"]["drafts"] == [booking["id"]]
    assert till.world.client.delete("/me?cancel=true", headers=headers).status_code == 204
    payment = till.get(f"/payments/{booking['payment']['id']}", till.cast.as_operator)
    assert payment["status"] == "cancelled"
    till.require_sound()


def test_time_off_names_what_waits_in_the_way(till: Till) -> None:
    booking = till.book()
    period = {"startTime": booking["startTime"], "endTime": booking["endTime"], "cancelSessions": True}
    refused = till.post(f"/mentors/{till.cast.mentor.id}/time-off", period, till.cast.as_mentor)
    assert (refused.status_code, refused.json["details"]) == (409, {"bookings": [booking["id"]]})


def test_nothing_is_made_where_nothing_is_paid_before(till: Till, cast: Cast, engine: Engine) -> None:
    free = make_listing(engine, cast, booking_mode=BookingMode.INSTANT, price_amount=0)
    body = cast.body(listingId=str(free.id))
    answer = till.world.client.post("/bookings", json=body, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["payment"]) == (202, None)
    assert till.get("/payments", cast.as_operator)["items"] == []


def test_the_person_gets_all_payments_in_the_export(till: Till) -> None:
    payment = till.book()["payment"]
    assert till.get("/me/export")["payments"] == [payment]


def buy(till: Till, engine: Engine, **product: Any) -> dict[str, Any]:
    """A bundle of five sessions for 40 dollars, which is paid before."""
    with engine.begin() as db:
        course = factories.make_course(db)
        columns = {"session_count": 5, "payment_mode": PaymentMode.BEFORE, **product}
        sold = factories.make_product(db, course, ProductKind.BUNDLE, **columns)
        factories.make_listing(db, till.cast.mentor, course_id=course.id)
    path, body = f"/bundles/courses/{course.id}/purchase", {"productId": str(sold.id)}
    answer = till.post(path, body, till.cast.as_mentee)
    assert answer.status_code == 201, answer.json
    bundle: dict[str, Any] = answer.json
    return bundle


def spend(till: Till, bundle: dict[str, Any]) -> ApiResponse:
    """Book a session of the bundle's course with a credit."""
    body = {"courseId": bundle["courseId"], "durationMinutes": 60, "bundlePurchaseId": bundle["id"]}
    body |= {"startTime": factories.next_slot().isoformat()}
    return till.post("/bookings/individual", body, till.cast.as_mentee)


@pytest.mark.parametrize("end", ["confirm", "waive"])
def test_the_credits_of_a_bundle_wait_for_its_payment(till: Till, engine: Engine, end: str) -> None:
    bundle = buy(till, engine, valid_days=30)
    payment = bundle["payment"]
    assert (bundle["status"], payment["for"], payment["bundleId"]) == ("awaiting_payment", "bundle", bundle["id"])
    assert (payment["amount"], payment["mentorProfileId"]) == (PRICE, None)
    assert till.types(bundle["id"]) == ["bundle.awaiting_payment"]
    refused = spend(till, bundle)
    assert (refused.status_code, refused.json["details"]) == (409, {"bundlePurchaseId": ["unpaid"]})
    adjusted = till.post(f"/bundles/{bundle['id']}/adjust", {"credits": 1, "reason": "Goodwill"})
    assert (adjusted.status_code, adjusted.json["code"]) == (409, "bundle_unusable")
    body = {"reference": "pi_1", "amount": PRICE} if end == "confirm" else {"reason": "A voucher"}
    assert till.post(f"/payments/{payment['id']}/{end}", body).status_code == 200
    opened = till.get(f"/bundles/{bundle['id']}")
    assert (opened["status"], opened["remainingSessions"]) == ("active", 5)
    assert till.types(bundle["id"])[1:] == ["bundle.purchased", "bundle.validity_set"]
    assert spend(till, bundle).status_code == 202
    (listed,) = till.get("/bundles")["items"]
    assert listed["payment"]["status"] == ("paid" if end == "confirm" else "waived")


def test_a_bundle_that_nobody_pays_is_nothing_and_can_be_bought_again(till: Till, engine: Engine) -> None:
    bundle = buy(till, engine)
    again = {"productId": bundle["productId"]}
    path = f"/bundles/courses/{bundle['courseId']}/purchase"
    assert till.post(path, again, till.cast.as_mentee).json["code"] == "already_purchased"
    till.lapse(bundle["payment"])
    ended = till.get(f"/bundles/{bundle['id']}")
    assert (ended["remainingSessions"], ended["payment"]["status"]) == (0, "lapsed")
    assert spend(till, bundle).json["code"] == "bundle_unusable"
    assert till.post(path, again, till.cast.as_mentee).status_code == 201
    late = till.confirm(bundle["payment"])
    assert (late.status_code, late.json["refundDue"]) == (200, PRICE)
    assert till.get(f"/bundles/{bundle['id']}")["remainingSessions"] == 0
    till.require_sound()


def test_a_bundle_that_waits_ends_with_the_account(till: Till, engine: Engine) -> None:
    bundle = buy(till, engine)
    answer = till.world.client.delete("/me?cancel=true", headers=till.cast.as_mentee)
    assert answer.status_code == 204, answer.json
    assert till.get(f"/payments/{bundle['payment']['id']}", till.cast.as_operator)["status"] == "cancelled"
    till.require_sound()
