"""Every documented code is produced on a route that documents it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from api.refusals import CODE_OF_STATUS, REFUSALS
from models.engine import create
from models.events import deliveries
from tests import factories
from tests.api.conftest import Cast
from tests.api.links import signed
from tests.api.test_server import REFUSED
from tests.application import ApiResponse, World
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.sessions.actions import create as create_session
from workflows.sessions.records import Session

JSON = {"Content-Type": "application/json"}


class Stage:
    """Everything that a refusal may need."""

    def __init__(self, world: World, cast: Cast, draft: Booking, scheduled: Session) -> None:
        self.world, self.cast, self.draft, self.scheduled = world, cast, draft, scheduled
        self.client = world.client

    def book(self, **fields: Any) -> ApiResponse:
        return self.client.post("/bookings", json=self.cast.body(**fields), headers=self.cast.as_mentee)

    def accept(self, booking: Booking | None = None, /, **headers: str) -> ApiResponse:
        path = f"/bookings/{(booking or self.draft).id}/accept"
        return self.client.patch(path, headers=self.cast.as_mentor | headers)

    def instant(self, **changes: Any) -> None:
        changes |= {"bookingMode": "instant"}
        path = f"/listings/{self.cast.listing.id}"
        self.client.patch(path, json=changes, headers=self.cast.as_mentor)


def too_early(stage: Stage) -> ApiResponse:
    session = stage.accept().json["sessionId"]
    stage.world.run_session_effects()
    return stage.client.patch(f"/sessions/{session}/start", headers=stage.cast.as_mentee)


def session_pending(stage: Stage) -> ApiResponse:
    return stage.client.get(f"/sessions/{stage.accept().json['sessionId']}", headers=stage.cast.as_mentee)


def slot_taken(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        cast = stage.cast
        rival = factories.make_booking(
            db, listing=cast.listing, mentee=cast.stranger, start_time=stage.draft.start_time
        )
    stage.accept()
    return stage.accept(rival)


def too_soon(stage: Stage) -> ApiResponse:
    stage.instant(minNoticeMinutes=500_000)
    # The slots of other bookings lie further ahead with each test.
    return stage.book(startTime=(factories.this_hour() + timedelta(days=2)).isoformat())


def no_listing(stage: Stage) -> ApiResponse:
    body = {
        "mentorProfileId": str(stage.cast.mentor.id),
        "scheduledAt": "2030-05-04T09:00:00Z",
        "durationMinutes": 7,
        "title": "Short",
    }
    return stage.client.post("/sessions/book", json=body, headers=stage.cast.as_mentee)


def not_cancellable(stage: Stage) -> ApiResponse:
    offer = {"title": "Firm", "durationMinutes": 60, "price": {"amount": 1, "currency": "USD"}, "cancellation": None}
    listing = stage.client.post("/listings", json=offer, headers=stage.cast.as_mentor).json["id"]
    booking = stage.client.post("/bookings", json=stage.cast.body(listingId=listing), headers=stage.cast.as_mentee)
    accepted = stage.client.patch(f"/bookings/{booking.json['id']}/accept", headers=stage.cast.as_mentor)
    stage.world.run_session_effects()
    path = f"/sessions/{accepted.json['sessionId']}/cancel"
    return stage.client.patch(path, json={"reason": "Ill"}, headers=stage.cast.as_mentee)


def reschedule(stage: Stage, **proposed_by: Any) -> ApiResponse:
    """Another time of a session that moves by agreement, where that was proposed before, else not at all."""
    mode = "by_agreement" if proposed_by else "off"
    price = {"amount": 1, "currency": "USD"}
    offer = {"title": "Moved", "durationMinutes": 60, "price": price, "reschedule": {"mode": mode}}
    listing = stage.client.post("/listings", json=offer, headers=stage.cast.as_mentor).json["id"]
    booking = stage.client.post("/bookings", json=stage.cast.body(listingId=listing), headers=stage.cast.as_mentee)
    accepted = stage.client.patch(f"/bookings/{booking.json['id']}/accept", headers=stage.cast.as_mentor)
    stage.world.run_session_effects()
    path, to = f"/sessions/{accepted.json['sessionId']}/reschedule", {"startTime": factories.next_slot().isoformat()}
    if proposed_by:
        assert stage.client.post(path, json=to, **proposed_by).status_code == 202
    return stage.client.post(path, json=to, headers=stage.cast.as_mentee)


def still_open(stage: Stage) -> ApiResponse:
    stage.client.post("/bookings", json=stage.cast.body(), headers=stage.cast.as_mentee)
    return stage.client.delete("/me", headers=stage.cast.as_mentee)


def currency_differs(stage: Stage) -> ApiResponse:
    offer = {"title": "Algebra", "durationMinutes": 60, "price": {"amount": 1, "currency": "EUR"}}
    return stage.client.post("/listings", json=offer, headers=stage.cast.as_mentor)


def listing_exists(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        course = factories.make_course(db)
    offer = {"title": "Algebra", "durationMinutes": 60, "price": {"amount": 1, "currency": "USD"}}
    offers = [{**offer, "courseId": str(course.id)}] * 2
    return [stage.client.post("/listings", json=each, headers=stage.cast.as_mentor) for each in offers][1]


def individual(stage: Stage, *, offered: bool = True, **fields: Any) -> ApiResponse:
    with stage.world.engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        # The only mentor is the caller, who is never chosen for a session of their own.
        factories.make_listing(db, stage.cast.mentor, course_id=course.id)
    body = {"courseId": str(course.id), "durationMinutes": 60, "startTime": "2030-03-24T01:30:00Z", **fields}
    headers = stage.cast.as_mentee if offered else stage.cast.as_mentor
    return stage.client.post("/bookings/individual", json=body, headers=headers)


def no_such_time(stage: Stage) -> ApiResponse:
    # The clocks of Berlin skip 02:30 a week later.
    return individual(stage, recurrence={"count": 2}, timeZone="Europe/Berlin")


def review(stage: Stage) -> ApiResponse:
    body, headers = {"rating": 5}, stage.cast.as_mentee
    return stage.client.post(f"/sessions/{stage.scheduled.id}/review", json=body, headers=headers)


def template(stage: Stage, **fields: Any) -> ApiResponse:
    weekly = {"title": "Algebra", "weekday": 0, "startTime": "09:00", "timeZone": "UTC", "durationMinutes": 60}
    body = {**weekly, "capacity": 3, "price": {"amount": 1, "currency": "EUR"}, **fields}
    return stage.client.post("/group-session-templates", json=body, headers=stage.cast.as_mentor)


def mentor_does_not_teach(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        course = factories.make_course(db)
    return template(stage, courseId=str(course.id))


def template_inactive(stage: Stage) -> ApiResponse:
    path, headers = template(stage).headers["Location"], stage.cast.as_mentor
    stage.client.delete(path, headers=headers)
    return stage.client.post(f"{path}/schedule", json={"from": "2030-01-01", "to": "2030-01-02"}, headers=headers)


def group_full(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        people = [factories.make_user(db) for _ in range(2)]
        group = factories.make_group(db, people, listing=stage.cast.listing)
    return stage.client.patch(f"/group-sessions/{group.id}", json={"capacity": 1}, headers=stage.cast.as_mentor)


def not_bookable(stage: Stage) -> ApiResponse:
    factories.deactivate(stage.world.engine, stage.cast.mentor)
    return seat(stage, "join")


def seat(stage: Stage, step: str, *, times: int = 1, capacity: int = 1) -> ApiResponse:
    """The last answer to a step in a group without participants."""
    with stage.world.engine.begin() as db:
        group = factories.make_group(db, [], listing=stage.cast.listing, capacity=capacity)
    path = f"/group-sessions/{group.id}/{step}"
    return [stage.client.post(path, headers=stage.cast.as_mentee) for _ in range(times)][-1]


def already_reviewed(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        session = factories.complete_session(db, stage.scheduled)
        factories.make_review(db, factories.unlock_review(db, session, stage.cast.mentee.id))
    return review(stage)


def already_answered(stage: Stage) -> ApiResponse:
    already_reviewed(stage)
    path, body = f"/sessions/{stage.scheduled.id}/review/answer", {"answer": "Thank you"}
    return [stage.client.post(path, json=body, headers=stage.cast.as_mentor) for _ in range(2)][1]


def email_taken(stage: Stage) -> ApiResponse:
    body = {"email": stage.cast.mentee.email, "name": "Twice"}
    return stage.client.post("/users", json=body, headers=stage.cast.as_operator)


def blocked(stage: Stage) -> ApiResponse:
    path = f"/users/{stage.cast.mentee.id}"
    stage.client.patch(path, json={"state": "blocked"}, headers=stage.cast.as_operator)
    return stage.client.get("/me", headers=stage.cast.as_mentee)


def external_id_taken(stage: Stage) -> ApiResponse:
    bodies = [{"email": f"ada{number}@example.org", "name": "Ada", "externalId": "17"} for number in range(2)]
    return [stage.client.post("/users", json=body, headers=stage.cast.as_operator) for body in bodies][-1]


def rate_limited(stage: Stage) -> ApiResponse:
    bodies = [{"email": f"ada{number}@example.org"} for number in range(6)]
    return [stage.client.patch("/me", json=body, headers=stage.cast.as_mentee) for body in bodies][5]


def gone(stage: Stage) -> ApiResponse:
    path = signed(Action.DECLINE, stage.draft.id, stage.cast.mentor.user_id)
    return [stage.client.post(path, headers={"Accept": "application/json"}) for _ in range(2)][1]


def profile_exists(stage: Stage) -> ApiResponse:
    return stage.client.post("/mentor-profiles", json={"headline": "x"}, headers=stage.cast.as_mentor)


def calendar_feeds(stage: Stage, *numbers: int) -> ApiResponse:
    """The last answer to adding calendars at these addresses."""
    path, headers = f"/mentors/{stage.cast.mentor.id}/calendar-feeds", stage.cast.as_mentor
    urls = [f"https://calendar.example/{number}.ics" for number in numbers]
    return [stage.client.post(path, json={"url": url}, headers=headers) for url in urls][-1]


def endpoint_exists(stage: Stage) -> ApiResponse:
    hook = {"url": "https://partner.example", "eventTypes": ["*"]}
    stage.client.post("/webhook-endpoints", json=hook, headers=stage.cast.as_mentor)
    return stage.client.post("/webhook-endpoints", json=hook, headers=stage.cast.as_mentor)


def an_endpoint(stage: Stage) -> str:
    hook = {"url": "https://partner.example", "eventTypes": ["*"]}
    return stage.client.post("/webhook-endpoints", json=hook, headers=stage.cast.as_mentor).headers["Location"]


def endpoint_limit(stage: Stage) -> ApiResponse:
    answers = [
        stage.client.post(
            "/webhook-endpoints",
            json={"url": f"https://partner.example/{number}", "eventTypes": ["*"]},
            headers=stage.cast.as_mentor,
        )
        for number in range(51)
    ]
    assert {answer.status_code for answer in answers[:50]} == {201}
    return answers[50]


def quota_reached(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        for number in range(490):
            factories.make_listing(db, stage.cast.mentor, title=f"Offer {number}")
    offer = {"title": "One more", "durationMinutes": 60, "price": {"amount": 1, "currency": "USD"}}
    return [stage.client.post("/listings", json=offer, headers=stage.cast.as_mentor) for _ in range(11)][-1]


def endpoint_not_active(stage: Stage) -> ApiResponse:
    path, body = f"{an_endpoint(stage)}/example", {"eventType": "session.created"}
    return stage.client.post(path, json=body, headers=stage.cast.as_mentor)


def secret_limit(stage: Stage) -> ApiResponse:
    path = f"{an_endpoint(stage)}/secret/rotate"
    answers = [stage.client.post(path, headers=stage.cast.as_mentor) for _ in range(10)]
    assert {answer.status_code for answer in answers[:9]} == {200}
    return answers[9]


def key_reused(stage: Stage) -> ApiResponse:
    key = {"Idempotency-Key": "k"}
    stage.client.post("/bookings", json=stage.cast.body(), headers=stage.cast.as_mentee | key)
    return stage.client.post("/bookings", json=stage.cast.body(), headers=stage.cast.as_mentee | key)


def key_in_use(stage: Stage) -> ApiResponse:
    # The advisory lock of a first request that is still under way, taken by hand.
    with stage.world.engine.connect() as db, pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.http.idempotency.IdempotentRequest._lock", lambda _self: 42)
        db.exec_driver_sql("SELECT pg_advisory_lock(42)")
        answer = stage.client.post("/bookings", headers=stage.cast.as_mentee | {"Idempotency-Key": "k"})
        db.exec_driver_sql("SELECT pg_advisory_unlock_all()")
    return answer


def outside_hours(stage: Stage) -> ApiResponse:
    path, hours = f"/mentors/{stage.cast.mentor.id}/hours", {"weekday": 6, "startTime": "00:00", "endTime": "00:01"}
    stage.client.put(path, json={"hours": [hours]}, headers=stage.cast.as_mentor)
    return stage.book()


def beyond_horizon(stage: Stage) -> ApiResponse:
    rules = f"/mentors/{stage.cast.mentor.id}/booking-rules"
    stage.client.put(rules, json={"horizonDays": 1}, headers=stage.cast.as_mentor)
    return stage.book()


def booking_limit(stage: Stage) -> ApiResponse:
    body = stage.cast.body()
    return [stage.client.post("/bookings", json=body, headers=stage.cast.as_mentee) for _ in range(2)][1]


def sessions_in_the_way(stage: Stage) -> ApiResponse:
    times = [stage.scheduled.start_time, stage.scheduled.end_time]
    body = dict(zip(("startTime", "endTime"), (each.isoformat() for each in times), strict=True))
    return stage.client.post(f"/mentors/{stage.cast.mentor.id}/time-off", json=body, headers=stage.cast.as_mentor)


def duplicate_session(stage: Stage) -> ApiResponse:
    # No route creates sessions; the workflow refuses, and the API would say it so.
    def again(db: Any, **_named: Any) -> None:
        create_session(db, booking_id=stage.scheduled.booking_id)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.resources.bookings.accept", again)
        return stage.accept()


def already_purchased(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        bundle = factories.make_bundle(db, mentee=stage.cast.mentee)
    path, body = f"/bundles/courses/{bundle.course_id}/purchase", {"productId": str(bundle.product_id)}
    return stage.client.post(path, json=body, headers=stage.cast.as_mentee)


def bundle_unusable(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        bundle = factories.make_bundle(db, at=datetime.now(UTC) - timedelta(days=2), valid_days=1)
    path, body = f"/bundles/{bundle.id}/adjust", {"credits": 1, "reason": "Goodwill"}
    return stage.client.post(path, json=body, headers=stage.cast.as_operator)


def internal_error(stage: Stage) -> ApiResponse:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.resources.bookings.accept", lambda *_a, **_n: 1 / 0)
        return stage.accept()


def unavailable(stage: Stage) -> ApiResponse:
    gone = World.on(create("postgresql://tutelage@127.0.0.1:1/nothing", connect_timeout=1))
    return gone.client.get("/me", headers=stage.cast.as_mentee)


def delivery_in_progress(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as worker:
        delivery = worker.execute(select(deliveries.c.id).limit(1).with_for_update()).scalar_one()
        return stage.client.post(f"/operations/deliveries/{delivery}/cancel", headers=stage.cast.as_operator)


def of_payment(stage: Stage, step: str, **body: Any) -> ApiResponse:
    """The answer to a step of a payment of 40 dollars that is paid, with a refund of a cent that is due."""
    with stage.world.engine.begin() as db:
        payment = factories.make_payment(db, listing=stage.cast.listing, mentee=stage.cast.mentee)
    amount = {"amount": {"amount": 4000, "currency": "USD"}}
    path = f"/payments/{payment.id}/{step.format(refund=payment.refunds[0].id)}"
    return stage.client.post(path, json={**amount, **body}, headers=stage.cast.as_operator)


def awaited(stage: Stage, reference: str, amount: int) -> ApiResponse:
    """The answer to the confirmation of a payment that is awaited, beside one that is paid."""
    with stage.world.engine.begin() as db:
        paid = factories.make_payment(db, listing=stage.cast.listing, mentee=stage.cast.mentee)
        waiting = factories.make_prepaid_booking(db, listing=stage.cast.listing, mentee=stage.cast.mentee).payment
    assert waiting is not None
    body = {"reference": reference.format(paid=paid.reference), "amount": {"amount": amount, "currency": "USD"}}
    return stage.client.post(f"/payments/{waiting.id}/confirm", json=body, headers=stage.cast.as_operator)


def already_refunded(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        payment = factories.make_payment(db, listing=stage.cast.listing, mentee=stage.cast.mentee)
    path = f"/payments/{payment.id}/refunds/{payment.refunds[0].id}/done"
    headers = stage.cast.as_operator
    return [stage.client.post(path, json={"reference": each}, headers=headers) for each in ("re_1", "re_2")][1]


def no_payment_provider(stage: Stage) -> ApiResponse:
    with stage.world.engine.begin() as db:
        payment = factories.make_prepaid_booking(db, listing=stage.cast.listing, mentee=stage.cast.mentee).payment
    assert payment is not None
    pages = {"successUrl": "https://app.example.org/", "cancelUrl": "https://app.example.org/"}
    return stage.client.post(f"/payments/{payment.id}/checkout", json=pages, headers=stage.cast.as_mentee)


def push_off(stage: Stage) -> ApiResponse:
    return stage.client.get("/push-subscriptions/key", headers=stage.cast.as_mentee)


PRODUCED: dict[str, Callable[[Stage], ApiResponse]] = {
    "invalid_request": lambda stage: stage.book(title=7),
    "invalid_transition": lambda stage: [stage.accept(), stage.accept()][1],
    "too_early": too_early,
    "mentor_does_not_teach": mentor_does_not_teach,
    "template_inactive": template_inactive,
    "group_full": group_full,
    "not_a_group": lambda stage: stage.client.get(f"/group-sessions/{stage.draft.id}", headers=stage.cast.as_mentee),
    "not_bookable": not_bookable,
    "already_joined": lambda stage: seat(stage, "join", times=2),
    "seats_free": lambda stage: seat(stage, "waitlist"),
    "no_offer": lambda stage: seat(stage, "waitlist/accept-offer"),
    "unauthenticated": lambda stage: stage.client.get("/me"),
    "forbidden": lambda stage: stage.client.get(f"/bookings/{stage.draft.id}", headers=stage.cast.as_stranger),
    "not_found": lambda stage: stage.client.get("/bookings/no-id", headers=stage.cast.as_mentee),
    "session_pending": session_pending,
    "method_not_allowed": lambda stage: stage.client.put(f"/sessions/{stage.scheduled.id}"),
    "slot_taken": slot_taken,
    "outside_hours": outside_hours,
    "beyond_horizon": beyond_horizon,
    "booking_limit": booking_limit,
    "sessions_in_the_way": sessions_in_the_way,
    "too_soon": too_soon,
    "no_mentor_free": lambda stage: individual(stage, offered=False),
    "no_such_time": no_such_time,
    "already_purchased": already_purchased,
    "bundle_unusable": bundle_unusable,
    "no_listing": no_listing,
    "already_paid": lambda stage: of_payment(stage, "confirm", reference="another"),
    "reference_in_use": lambda stage: awaited(stage, "{paid}", 4000),
    "wrong_amount": lambda stage: awaited(stage, "pi_2", 3999),
    "refund_exceeds_payment": lambda stage: of_payment(stage, "refunds", reason="Too much"),
    "already_refunded": already_refunded,
    "no_payment_provider": no_payment_provider,
    "price_changed": lambda stage: stage.book(expectedPrice={"amount": 1, "currency": "USD"}),
    "terms_changed": lambda stage: stage.book(expectedCancellation={"windowHours": 0, "lateFeePercent": 0}),
    "duplicate_session": duplicate_session,
    "not_cancellable": not_cancellable,
    "not_reschedulable": reschedule,
    "proposal_open": lambda stage: reschedule(stage, headers=stage.cast.as_mentor),
    "still_open": still_open,
    "listing_exists": listing_exists,
    "currency_differs": currency_differs,
    "already_reviewed": already_reviewed,
    "review_not_open": review,
    "already_answered": already_answered,
    "email_taken": email_taken,
    "external_id_taken": external_id_taken,
    "blocked": blocked,
    "profile_exists": profile_exists,
    "calendar_feed_exists": lambda stage: calendar_feeds(stage, 1, 1),
    "calendar_feed_limit": lambda stage: calendar_feeds(stage, *range(11)),
    "endpoint_exists": endpoint_exists,
    "endpoint_limit": endpoint_limit,
    "quota_reached": quota_reached,
    "endpoint_not_active": endpoint_not_active,
    "delivery_in_progress": delivery_in_progress,
    "secret_limit": secret_limit,
    "push_off": push_off,
    "key_in_use": key_in_use,
    "gone": gone,
    "rate_limited": rate_limited,
    "stale": lambda stage: stage.accept(**{"If-Match": '"7"'}),
    "too_large": lambda stage: stage.book(notes="x" * 300_000),
    "unsupported_media_type": lambda stage: stage.client.post(
        "/bookings", data=b"x", headers=stage.cast.as_mentee, content_type="text/plain"
    ),
    "key_reused": key_reused,
    "internal_error": internal_error,
    "unavailable": unavailable,
}


# Refused before there is a route, which tests/api/test_server.py does with a server.
BY_THE_SERVER = {"request_timeout", "uri_too_long", "headers_too_large"}


def test_a_code_of_the_server_is_produced_there() -> None:
    assert BY_THE_SERVER - {"request_timeout"} <= {code for _raw, _status, code in REFUSED.values()}
    for code in BY_THE_SERVER:
        assert CODE_OF_STATUS[REFUSALS[code].status] == code


@pytest.mark.parametrize("code", [code for code in REFUSALS if code not in BY_THE_SERVER])
def test_a_documented_code_is_produced(
    engine: Engine, world: World, cast: Cast, draft: Booking, scheduled: Session, code: str
) -> None:
    assert engine
    answer = PRODUCED[code](Stage(world, cast, draft, scheduled))
    assert (answer.status_code, answer.json["code"]) == (REFUSALS[code].status, code), answer.json
    if code in ("session_pending", "key_in_use", "unavailable"):
        assert answer.headers["Retry-After"] == "1"
