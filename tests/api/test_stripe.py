"""Payments through Stripe over HTTP, with a stand-in for it on a real socket: pages, signed events, and what is due."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update

from infrastructure.stripe_provider import StripeProvider
from models.audit import audit_entries
from models.catalog import BookingMode
from models.events import DeliveryState
from models.payments import payments
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_payments import PRICE, Till, make_listing
from tests.application import ApiResponse, World
from tests.integration.harness import Harness
from tests.stripe_stand_in import API_KEY, WEBHOOK_SECRET, StripeStandIn, event, signed, stripe_stand_in
from workers.transports.stripe import StripeTransport
from workflows.invariants import check_all
from workflows.payments.records import PAYMENT, Payment
from workflows.settlements.actions import grant_refund

PAGES = {"successUrl": "https://app.example.org/paid?id={CHECKOUT_SESSION_ID}", "cancelUrl": "https://app.example.org/"}


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with stripe_stand_in() as running:
        yield running


def world_of(engine: Engine, stand_in: StripeStandIn, **settings: Any) -> World:
    settings |= {"stripe_api_key": API_KEY, "stripe_webhook_secret": WEBHOOK_SECRET, "stripe_api_base": stand_in.url}
    return World.on(engine, **settings, checkout_origins=("https://app.example.org",))


def through_stripe(engine: Engine, cast: Cast, stand_in: StripeStandIn, **offer: Any) -> Till:
    world = world_of(engine, stand_in)
    return Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.INSTANT, **offer))


@pytest.fixture
def till(engine: Engine, cast: Cast, stand_in: StripeStandIn) -> Till:
    return through_stripe(engine, cast, stand_in)


def checkout(till: Till, payment: dict[str, Any], headers: Any = None, **body: str) -> ApiResponse:
    return till.post(f"/payments/{payment['id']}/checkout", {**PAGES, **body}, headers or till.cast.as_mentee)


def url_of(till: Till, payment: dict[str, Any]) -> str:
    answer = checkout(till, payment)
    assert answer.status_code == 200, answer.json
    return str(answer.json["url"])


def told(till: Till, about: dict[str, Any], **how: Any) -> ApiResponse:
    body, signature = signed(about, **how)
    headers = {"Stripe-Signature": signature}
    return till.world.client.post("/payments/stripe", data=body, content_type="application/json", headers=headers)


def test_what_is_paid_at_the_page_is_given(till: Till, stand_in: StripeStandIn) -> None:
    booking = till.book()
    url = url_of(till, booking["payment"])
    (session,) = stand_in.sessions.values()
    assert (session["amount_total"], session["currency"]) == (4000, "usd")
    assert session["title"].startswith("Session with ")
    assert (session["success_url"], session["cancel_url"]) == (PAGES["successUrl"], PAGES["cancelUrl"])
    path = f"/payments/{booking['payment']['id']}"
    assert till.get(path)["checkoutUrl"] == url
    assert url_of(till, booking["payment"]) == url
    assert len(stand_in.sessions) == 1
    paid = stand_in.pay(url)
    assert told(till, paid).json == {"received": True}
    seen = till.get(path)
    assert (seen["status"], seen["reference"], seen["checkoutUrl"]) == ("paid", session["payment_intent"], None)
    assert till.get(f"/bookings/{booking['id']}")["status"] == "accepted"
    entries = entries_of(till)
    # Repeated, by that event or by another one about the same money.
    for again in (paid, event("checkout.session.async_payment_succeeded", session)):
        assert told(till, again).status_code == 200
    assert till.get(path) == seen
    assert entries_of(till) == entries
    assert checkout(till, booking["payment"]).json["code"] == "invalid_transition"
    till.require_sound()


def entries_of(till: Till) -> list[Any]:
    with till.engine.begin() as db:
        query = select(audit_entries.c.actor, audit_entries.c.action).order_by(audit_entries.c.sequence)
        return list(db.execute(query.where(audit_entries.c.action.like("payment.%"))).all())


def test_the_page_is_for_who_owes_it(till: Till) -> None:
    payment = till.book()["payment"]
    for headers, status in ((till.cast.as_mentor, 403), (till.cast.as_operator, 403), (till.cast.as_stranger, 404)):
        assert checkout(till, payment, headers).status_code == status


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://app.example.org.evil.example/",
        "https://app.example.org@evil.example/",
        "https://app.example.org\\@evil.example/",
        "https://app.example.org:8443/",
        "http://app.example.org/",
        "//app.example.org/",
        "javascript:alert(1)",
    ],
)
def test_people_return_to_pages_of_the_marketplace_alone(till: Till, stand_in: StripeStandIn, url: str) -> None:
    payment = till.book()["payment"]
    for name in PAGES:
        refused = checkout(till, payment, **{name: url})
        assert (refused.status_code, list(refused.json["details"])) == (400, [name])
    assert stand_in.calls == []


def test_without_an_adapter_nothing_is_paid_here(world: World, cast: Cast, engine: Engine) -> None:
    till = Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.INSTANT))
    refused = checkout(till, till.book()["payment"])
    assert (refused.status_code, refused.json["code"]) == (409, "no_payment_provider")
    assert told(till, {"object": "event"}).status_code == 404


@pytest.mark.parametrize("trouble", [500, 429, 401, "lose"])
def test_a_page_that_is_not_made_is_asked_for_again(till: Till, stand_in: StripeStandIn, trouble: int | str) -> None:
    payment = till.book()["payment"]
    stand_in.troubles.append(trouble)
    refused = checkout(till, payment)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert API_KEY not in refused.text
    assert till.get(f"/payments/{payment['id']}")["checkoutUrl"] is None
    assert url_of(till, payment) in [each["url"] for each in stand_in.sessions.values()]


def test_two_requests_get_one_page(till: Till) -> None:
    payment, barrier = till.book()["payment"], Barrier(4)
    found: list[str] = []

    def ask() -> None:
        client = till.world.app.test_client()
        barrier.wait(10)
        answer = client.post(f"/payments/{payment['id']}/checkout", json=PAGES, headers=till.cast.as_mentee)
        found.append(answer.get_json()["url"])

    threads = [Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(found) == 4
    assert set(found) == {till.get(f"/payments/{payment['id']}")["checkoutUrl"]}


def test_no_transaction_is_open_while_stripe_is_asked(till: Till, stand_in: StripeStandIn, engine: Engine) -> None:
    payment = till.book()["payment"]
    stand_in.troubles.append("hang")
    thread = Thread(target=lambda: checkout(till, payment))
    thread.start()
    while not stand_in.calls:
        time.sleep(0.01)
    with engine.begin() as db:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert db.scalar(text(query)) == 0
    stand_in.released.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("quota", [0, 1000])
def test_a_repetition_that_overtakes_is_the_first_answer(
    engine: Engine, cast: Cast, stand_in: StripeStandIn, quota: int
) -> None:
    world = world_of(engine, stand_in, max_idempotency_keys=quota, max_idempotency_megabytes=0)
    till = Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.INSTANT))
    payment, headers = till.book()["payment"], {**till.cast.as_mentee, "Idempotency-Key": "pay"}
    stand_in.troubles.append("late")
    first: list[ApiResponse] = []
    thread = Thread(target=lambda: first.append(checkout(till, payment, headers)))
    thread.start()
    while not stand_in.calls:
        time.sleep(0.01)
    repeated = checkout(till, payment, headers)
    stand_in.released.set()
    thread.join(30)
    assert (first[0].status_code, first[0].json) == (repeated.status_code, repeated.json) == (200, repeated.json)
    assert first[0].headers["Idempotent-Replayed"] == "true"
    assert [entry.action for entry in entries_of(till)].count("payment.checkout_opened") == 1


def test_a_page_that_has_closed_is_replaced(till: Till, stand_in: StripeStandIn, engine: Engine) -> None:
    payment = till.book()["payment"]
    first = url_of(till, payment)
    with engine.begin() as db:
        db.execute(update(payments).values(checkout_expires_at=datetime.now(UTC) + timedelta(seconds=30)))
    second = url_of(till, payment)
    assert second != first
    # Money of the first page, by a slow bank, is known all the same.
    assert told(till, stand_in.pay(first)).status_code == 200
    assert till.get(f"/payments/{payment['id']}")["status"] == "paid"


@pytest.mark.parametrize("how", [{"secret": "whsec_of_somebody_else"}, {"at": time.time() - 600}])
def test_a_forged_or_old_signature_is_refused(till: Till, stand_in: StripeStandIn, how: dict[str, Any]) -> None:
    payment = till.book()["payment"]
    refused = told(till, stand_in.pay(url_of(till, payment)), **how)
    assert (refused.status_code, list(refused.json["details"])) == (400, ["Stripe-Signature"])
    assert till.get(f"/payments/{payment['id']}")["status"] == "awaiting"


def test_bodies_that_are_no_events_are_refused(till: Till) -> None:
    for body in ("", "[]", "null", "{}", "\xff", '{"object": "event"}'):
        _body, signature = signed({})
        headers = {"Stripe-Signature": signature}
        answer = till.world.client.post("/payments/stripe", data=body.encode("latin-1"), headers=headers)
        assert answer.status_code == 400, body
    no_events: list[Any] = [[], {}, {"object": "event", "type": "checkout.session.completed", "data": None}]
    for about in no_events:
        assert told(till, about).status_code == 400, about


def test_events_of_other_objects_change_nothing(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    session = stand_in.pay(url_of(till, payment))["data"]["object"]
    for about in (
        event("charge.refunded", {"id": "ch_1", "object": "charge"}),
        event("checkout.session.completed", {**session, "payment_status": "unpaid"}),
        event("checkout.session.completed", {**session, "metadata": {}}),
        event("checkout.session.completed", {**session, "metadata": None}),
        event("checkout.session.completed", {**session, "metadata": {"tutelage_payment_id": "x"}}),
        event("checkout.session.completed", {**session, "metadata": {"tutelage_payment_id": till.cast.mentee.id.hex}}),
    ):
        assert told(till, about).json == {"received": True}, about
    assert till.get(f"/payments/{payment['id']}")["status"] == "awaiting"


@pytest.mark.parametrize("changed", [{"amount_total": 3999}, {"currency": "eur"}])
def test_another_amount_confirms_nothing(till: Till, stand_in: StripeStandIn, changed: dict[str, Any]) -> None:
    payment = till.book()["payment"]
    paid = stand_in.pay(url_of(till, payment), **changed)
    assert told(till, paid).status_code == 200
    assert till.get(f"/payments/{payment['id']}")["status"] == "awaiting"
    (entry,) = surplus_of(till, payment, "wrong_amount")
    money = paid["data"]["object"]
    assert (entry["actor"], entry["action"]) == ("stripe", "payment.confirmed")
    assert entry["data"] == {
        "reference": money["payment_intent"],
        "amount": money["amount_total"],
        "currency": money["currency"].upper(),
    }


def surplus_of(till: Till, payment: dict[str, Any], code: str) -> list[dict[str, Any]]:
    """The entries of the audit about money that belongs to nothing."""
    found = till.get(f"/audit?subjectId={payment['id']}&result={code}", till.cast.as_operator)
    entries: list[dict[str, Any]] = found["items"]
    return entries


def test_money_that_was_paid_elsewhere_first_is_left_to_operators(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    url = url_of(till, payment)
    till.confirm(payment, "by bank")
    assert told(till, stand_in.pay(url)).status_code == 200
    assert till.get(f"/payments/{payment['id']}")["reference"] == "by bank"
    assert len(surplus_of(till, payment, "already_paid")) == 1
    till.require_sound()


def worker(till: Till, stand_in: StripeStandIn) -> Harness:
    provider = StripeProvider(api_key=API_KEY, webhook_secret=WEBHOOK_SECRET, base=stand_in.url)
    return Harness(till.engine, stripe=StripeTransport(provider))


def waive(till: Till, payment: dict[str, Any]) -> None:
    path = f"/payments/{payment['id']}/waive"
    assert till.post(path, {"reason": "A voucher."}, till.cast.as_operator).status_code == 200


ENDS: dict[str, Callable[[Till, dict[str, Any]], object]] = {
    "confirmed": lambda till, payment: till.confirm(payment, "by bank"),
    "waived": waive,
    "lapsed": lambda till, payment: till.lapse(payment),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_page_of_a_payment_that_nobody_waits_for_is_closed(till: Till, stand_in: StripeStandIn, end: str) -> None:
    payment = till.book()["payment"]
    url_of(till, payment)
    (session,) = stand_in.sessions.values()
    ENDS[end](till, payment)
    harness = worker(till, stand_in)
    # An answer that is lost, and a second attempt at a page that is closed by then.
    stand_in.troubles.append("lose")
    harness.run_all("webhooks")
    key = harness.key("payments.close_page")
    assert harness.row(key).state == DeliveryState.PENDING
    assert (harness.delivered_again(key).state, session["status"]) == (DeliveryState.DONE, "expired")


def test_what_is_paid_at_the_page_or_has_none_closes_nothing(till: Till, stand_in: StripeStandIn) -> None:
    told(till, stand_in.pay(url_of(till, till.book()["payment"])))
    with till.engine.begin() as db:
        assert db.scalar(text("SELECT count(*) FROM events WHERE type = 'payment.page_outdated'")) == 0


def pay_at_stripe(till: Till, payment: dict[str, Any], stand_in: StripeStandIn) -> None:
    """Pay a payment at a page of before."""
    (session,) = stand_in.sessions.values()
    stand_in.charged["pi_before"] = session["amount_total"]
    paid = {"payment_status": "paid", "status": "complete", "payment_intent": "pi_before"}
    assert told(till, event("checkout.session.completed", session | paid)).status_code == 200
    assert till.get(f"/payments/{payment['id']}")["status"] == "paid"


@pytest.mark.parametrize("end", ["paid", "waived"])
def test_money_of_what_nobody_waits_for_goes_back_whole(till: Till, stand_in: StripeStandIn, end: str) -> None:
    payment = till.book()["payment"]
    url = url_of(till, payment)
    if end == "paid":
        pay_at_stripe(till, payment, stand_in)
    else:
        waive(till, payment)
    paid = stand_in.pay(url)
    reference = paid["data"]["object"]["payment_intent"]
    harness = worker(till, stand_in)
    # The event is repeated, before and after the money has gone back.
    for _ in range(2):
        assert told(till, paid).status_code == 200
        assert told(till, paid).status_code == 200
        harness.run_all("webhooks")
        assert stand_in.refunded(reference) == 4000
    assert stand_in.refunded("pi_before") == 0
    seen = till.get(f"/payments/{payment['id']}", till.cast.as_operator)
    assert (seen["refundDue"]["amount"], seen["refunded"]["amount"]) == (0, 0)
    till.require_sound()


def test_a_return_that_fails_later_is_a_dead_delivery_until_it_is_retried(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    url = url_of(till, payment)
    waive(till, payment)
    paid = stand_in.pay(url)
    told(till, paid)
    harness = worker(till, stand_in)
    harness.run_all("webhooks")
    (sent,) = stand_in.refunds
    failed = stand_in.fail(sent)
    # Stripe tells it more than once.
    for about in (failed, {**failed, "type": "refund.updated"}):
        assert told(till, about).json == {"received": True}
        harness.run_all("webhooks")
    (left,) = till.get("/operations/deliveries?state=dead&effect=payments.refund", till.cast.as_operator)["items"]
    assert sent["id"] in left["lastError"]
    with till.engine.begin() as db:
        assert "dead_delivery" in {finding.name for finding in check_all(db) if finding.violations}
    (entry,) = till.get("/audit?action=payment.refund_failed", till.cast.as_operator)["items"]
    assert (entry["subjectId"], entry["data"]["reference"]) == (payment["id"], sent["id"])
    # Nothing is sent until an operator asks for it.
    assert len(stand_in.refunds) == 1
    assert till.post(f"/operations/deliveries/{left['id']}/retry").status_code == 200
    harness.run_all("webhooks")
    assert [each["status"] for each in stand_in.refunds] == ["failed", "succeeded"]
    assert stand_in.refunded(paid["data"]["object"]["payment_intent"]) == 4000
    till.require_sound()


def test_money_that_may_be_what_was_confirmed_by_hand_stays(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    url = url_of(till, payment)
    till.confirm(payment, "order 17")
    paid = stand_in.pay(url)
    assert told(till, paid).json == {"received": True}
    worker(till, stand_in).run_all("webhooks")
    assert stand_in.refunds == []
    (entry,) = surplus_of(till, payment, "already_paid")
    assert entry["data"]["reference"] == paid["data"]["object"]["payment_intent"]


def test_money_of_another_payment_is_shown_to_operators(till: Till, stand_in: StripeStandIn) -> None:
    later = factories.next_slot() + timedelta(days=1)
    first, second = till.book()["payment"], till.book(startTime=later.isoformat())["payment"]
    paid = stand_in.pay(url_of(till, first))
    told(till, paid)
    metadata = {"tutelage_payment_id": second["id"]}
    answer = told(till, event("checkout.session.completed", {**paid["data"]["object"], "metadata": metadata}))
    assert answer.json == {"received": True}
    (entry,) = surplus_of(till, second, "reference_in_use")
    assert entry["data"]["reference"] == paid["data"]["object"]["payment_intent"]
    assert till.get(f"/payments/{second['id']}")["status"] == "awaiting"


def test_a_refund_that_fails_is_due_again(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    told(till, stand_in.pay(url_of(till, payment)))
    path = f"/payments/{payment['id']}"
    granted = till.post(f"{path}/refunds", {"amount": PRICE, "reason": "Goodwill"}, till.cast.as_operator)
    harness = worker(till, stand_in)
    harness.run_all("webhooks")
    assert till.get(path)["refunds"][0]["status"] == "done"
    (sent,) = stand_in.refunds
    # Stripe tells it more than once.
    failed = stand_in.fail(sent)
    for about in (failed, {**failed, "type": "refund.updated"}):
        assert told(till, {**about, "data": {"object": {**sent, "created": 0}}}).json == {"received": True}
    seen = till.get(path)
    assert (seen["refundDue"], seen["refunded"]["amount"]) == (PRICE, 0)
    (shown,) = seen["refunds"]
    assert (shown["id"], shown["status"], shown["reference"]) == (granted.json["refunds"][0]["id"], "due", None)
    entries = till.get("/audit?action=payment.refund_failed", till.cast.as_operator)["items"]
    assert [each["data"]["reference"] for each in entries] == [sent["id"]]
    # By hand, as what cannot go back through Stripe.
    done = till.post(f"{path}/refunds/{shown['id']}/done", {"reference": "by bank"}, till.cast.as_operator)
    assert done.json["refunded"] == PRICE
    assert told(till, failed).json == {"received": True}
    assert till.get(path)["refunded"] == PRICE
    till.require_sound()


def test_a_refund_that_fails_after_a_hundred_others_is_due_again(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    told(till, stand_in.pay(url_of(till, payment)))
    path = f"/payments/{payment['id']}"
    cent: dict[str, Any] = {"amount": 1, "currency": "USD"}
    till.post(f"{path}/refunds", {"amount": cent, "reason": "Goodwill"}, till.cast.as_operator)
    worker(till, stand_in).run_all("webhooks")
    with till.engine.begin() as db:
        paid = Payment.of(db.execute(PAYMENT, {"id": payment["id"]}).one())
        for _ in range(100):
            about: dict[str, Any] = {"reason": "Goodwill", "any_version": True, "now": datetime.now(UTC)}
            grant_refund(db, actor=factories.OPERATOR, payment=paid, **cent, **about)
    (sent,) = stand_in.refunds
    assert told(till, stand_in.fail(sent)).json == {"received": True}
    seen = till.get(path)
    assert (seen["refundDue"]["amount"], seen["refunded"]["amount"]) == (101, 0)


def test_a_refund_that_fails_before_it_is_entered_is_told_again(till: Till, stand_in: StripeStandIn) -> None:
    payment = till.book()["payment"]
    paid = stand_in.pay(url_of(till, payment))
    told(till, paid)
    path = f"/payments/{payment['id']}/refunds"
    refund = till.post(path, {"amount": PRICE, "reason": "Goodwill"}, till.cast.as_operator).json["refunds"][0]
    about = {"id": "re_1", "object": "refund", "status": "failed", "metadata": {"tutelage_refund_id": refund["id"]}}
    assert told(till, event("refund.failed", {**about, "created": int(time.time())})).status_code == 503
    assert told(till, event("refund.failed", {**about, "created": int(time.time()) - 3600})).status_code == 200
    others: list[Any] = [{"metadata": {}}, {"status": "pending"}, {"metadata": {"tutelage_refund_id": payment["id"]}}]
    for other in others:
        event_of_other = event("refund.updated", {**about, "created": int(time.time()), **other})
        assert told(till, event_of_other).json == {"received": True}


def test_late_money_is_to_go_back(till: Till, stand_in: StripeStandIn) -> None:
    booking = till.book()
    url = url_of(till, booking["payment"])
    till.lapse(booking["payment"])
    assert told(till, stand_in.pay(url)).status_code == 200
    seen = till.get(f"/payments/{booking['payment']['id']}")
    assert (seen["status"], seen["refundDue"]) == ("paid", PRICE)
    with till.engine.begin() as db:
        query = text("SELECT count(*) FROM deliveries WHERE effect = 'payments.start_refund'")
        assert db.scalar(query) == 1


@pytest.mark.parametrize(("currency", "stripes"), [("JPY", 4000), ("ISK", 400000), ("KWD", 4000), ("MGA", 40)])
def test_each_currency_is_counted_as_stripe_counts_it(
    engine: Engine, cast: Cast, stand_in: StripeStandIn, currency: str, stripes: int
) -> None:
    till = through_stripe(engine, cast, stand_in, price_currency=currency, duration_minutes=45)
    payment = till.book()["payment"]
    assert payment["amount"] == {"amount": 4000, "currency": currency}
    paid = stand_in.pay(url_of(till, payment))
    assert paid["data"]["object"]["amount_total"] == stripes
    told(till, paid)
    assert till.get(f"/payments/{payment['id']}")["status"] == "paid"


@pytest.mark.parametrize("trouble", [None, 400])
def test_a_price_that_stripe_does_not_take_is_no_outage(
    engine: Engine, cast: Cast, stand_in: StripeStandIn, trouble: int | None
) -> None:
    # Stripe counts whole ariary, of which ISO 4217 has hundredths; and it has a smallest amount of each currency.
    price = {"price_currency": "MGA", "price_amount": 4001} if trouble is None else {"price_amount": 1}
    till = through_stripe(engine, cast, stand_in, duration_minutes=45, **price)
    payment = till.book()["payment"]
    stand_in.troubles.append(trouble)
    refused = checkout(till, payment)
    assert (refused.status_code, refused.json["code"]) == (409, "no_payment_provider")
    till.confirm(payment, "by bank")
    assert till.get(f"/payments/{payment['id']}")["status"] == "paid"


def test_the_log_has_no_secret(till: Till, stand_in: StripeStandIn, capfd: Any) -> None:
    payment = till.book()["payment"]
    stand_in.troubles.extend([401, 500])
    for _ in range(2):
        checkout(till, payment)
    told(till, stand_in.pay(url_of(till, payment)), secret="whsec_other")
    written = "".join(capfd.readouterr())
    assert "payment.no_checkout" in written
    assert API_KEY not in written
    assert WEBHOOK_SECRET not in written
