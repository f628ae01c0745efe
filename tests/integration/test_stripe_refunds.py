"""Refunds through a stand-in for Stripe on a real socket: each goes back once, whatever befalls its requests."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select

from config.settings import Settings
from infrastructure.http_client import HttpLimits
from infrastructure.stripe_provider import StripeProvider
from models.events import DeliveryState, deliveries
from models.payments import payments
from tests import factories
from tests.application import settings_for
from tests.integration.harness import Harness
from tests.queries import broken_invariants
from tests.stripe_stand_in import API_KEY, WEBHOOK_SECRET, StripeStandIn, stripe_stand_in
from workers.routes import protected_stripe, routes_of
from workers.transports import NotConfigured
from workers.transports.protection import Protected
from workers.transports.stripe import StripeTransport
from workflows.events.delivery import DeliveryKey, DeliveryStatus, Postpone
from workflows.events.status import status_query
from workflows.events.subscriptions import load
from workflows.operators.deliveries import retry_delivery
from workflows.payments.records import PAYMENT, Payment, PaymentOfRefund
from workflows.payments.refunds import RefundMessage
from workflows.settlements.actions import complete_refund, confirm, grant_refund, reopen_refund, take_arrival

REFERENCE = "pi_1"


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with stripe_stand_in() as running:
        running.charged[REFERENCE] = 4000
        yield running


def provider(stand_in: StripeStandIn, *, key: str = API_KEY, seconds: float = 5) -> StripeProvider:
    limits = HttpLimits(deadline=seconds, kept_bytes=64 * 1024)
    return StripeProvider(api_key=key, webhook_secret=WEBHOOK_SECRET, base=stand_in.url, limits=limits)


@pytest.fixture
def refunding(engine: Engine, stand_in: StripeStandIn) -> Harness:
    return Harness(engine, stripe=StripeTransport(provider(stand_in)))


def owed(harness: Harness, amount: int = 1500, *, by_stripe: bool = True, reference: str = REFERENCE) -> UUID:
    """A payment of 40 dollars that came through Stripe, of which something is to go back."""
    with harness.transactions() as db:
        payment = factories.make_prepaid_booking(db).payment
        assert payment is not None
        money: dict[str, Any] = {"reference": reference, "currency": "USD"}
        if by_stripe:
            arrived = take_arrival(db, payment=payment, amount=4000, now=datetime.now(UTC), **money)
            assert arrived is None
        else:
            confirm(db, actor=factories.OPERATOR, payment=payment, amount=4000, now=datetime.now(UTC), **money)
        grant(db, payment.id, amount)
    return payment.id


def grant(db: object, payment_id: UUID, amount: int) -> Payment:
    payment = Payment.of(db.execute(PAYMENT, {"id": payment_id}).one())  # type: ignore[attr-defined]
    about = {"actor": factories.OPERATOR, "currency": "USD", "reason": "Goodwill", "now": datetime.now(UTC)}
    return grant_refund(db, payment=payment, amount=amount, **about)  # type: ignore[arg-type]


def present(harness: Harness, payment_id: UUID) -> Payment:
    with harness.engine.begin() as db:
        return Payment.of(db.execute(PAYMENT, {"id": payment_id}).one())


def require_sound(harness: Harness) -> None:
    assert broken_invariants(harness.engine) <= {
        "accepted_booking_without_session",
        "delivery_long_overdue",
        "dead_delivery",
    }


def sending(harness: Harness) -> DeliveryKey:
    harness.run_all("webhooks")
    return harness.key("payments.refund")


def again(harness: Harness, key: DeliveryKey) -> None:
    harness.delivered_again(key)


def test_a_refund_goes_back_and_is_entered(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    key = sending(refunding)
    assert refunding.row(key).state == DeliveryState.DONE
    paid = present(refunding, payment_id)
    assert (paid.refund_due, paid.refunded, paid.refunds[0].reference) == (0, 1500, "re_1")
    (sent,) = stand_in.refunds
    assert (sent["amount"], sent["payment_intent"]) == (1500, REFERENCE)
    # A second one is a refund of its own.
    with refunding.transactions() as db:
        grant(db, payment_id, 2500)
    refunding.run_all("webhooks")
    assert stand_in.refunded(REFERENCE) == 4000
    assert present(refunding, payment_id).refunded == 4000
    require_sound(refunding)


@pytest.mark.parametrize("trouble", [500, 429, 401, 409, "lose"])
def test_a_refund_that_fails_is_sent_again_and_goes_back_once(
    refunding: Harness, stand_in: StripeStandIn, trouble: int | str
) -> None:
    payment_id = owed(refunding)
    # Each asks first which refunds there are.
    stand_in.troubles.extend([None, trouble, None, trouble])
    key = sending(refunding)
    row = refunding.row(key)
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 1)
    assert API_KEY not in row.last_error
    assert present(refunding, payment_id).refund_due == 1500
    again(refunding, key)
    again(refunding, key)
    assert refunding.row(key).state == DeliveryState.DONE
    assert stand_in.refunded(REFERENCE) == 1500
    assert present(refunding, payment_id).refunded == 1500
    require_sound(refunding)


def test_a_refund_that_hangs_ends_at_its_deadline(engine: Engine, stand_in: StripeStandIn) -> None:
    hanging = Harness(engine, stripe=StripeTransport(provider(stand_in, seconds=0.5)))
    payment_id = owed(hanging)
    stand_in.troubles.append("hang")
    key = sending(hanging)
    assert hanging.row(key).state == DeliveryState.PENDING
    again(hanging, key)
    assert present(hanging, payment_id).refunded == 1500


def test_a_lost_answer_is_found_after_stripe_has_forgotten_the_key(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    for amount in (100, 200, 300):
        stand_in.refunds.append(
            {
                "id": f"re_by_hand_{amount}",
                "amount": amount,
                "payment_intent": REFERENCE,
                "metadata": {},
                "status": "pending",
            }
        )
    stand_in.troubles.extend([None, None, "lose"])
    key = sending(refunding)
    stand_in.forget_keys()
    # It is behind newer ones, on the second page of the list.
    for number in range(2):
        stand_in.refunds.append({**stand_in.refunds[0], "id": f"re_later_{number}"})
    again(refunding, key)
    assert refunding.row(key).state == DeliveryState.DONE
    sent = [each for each in stand_in.refunds if each["metadata"]]
    assert [each["amount"] for each in sent] == [1500]
    assert present(refunding, payment_id).refunds[0].reference == sent[0]["id"]


def test_what_stripe_refuses_is_left_to_operators(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    # Most of it was sent back by hand.
    stand_in.charged[REFERENCE] = 1000
    key = sending(refunding)
    assert (refunding.row(key).state, stand_in.refunds) == (DeliveryState.DEAD, [])
    assert present(refunding, payment_id).refund_due == 1500


def dead_again(harness: Harness, stand_in: StripeStandIn, payment_id: UUID) -> DeliveryKey:
    """A refund that Stripe had taken fails: nobody sends it again until an operator retries the delivery."""
    with harness.transactions() as db:
        paid = Payment.of(db.execute(PAYMENT, {"id": payment_id}).one())
        payment = PaymentOfRefund(**{**vars(paid), "refund_id": paid.refunds[0].id})
        about: dict[str, Any] = {"reference": paid.refunds[0].reference, "reason": "expired", "now": datetime.now(UTC)}
        stand_in.fail(next(each for each in stand_in.refunds if each["id"] == about["reference"]))
        assert reopen_refund(db, payment=payment, **about)
        assert not reopen_refund(db, payment=payment, **about)
    owing = present(harness, payment_id)
    assert (owing.refund_due, owing.refunded, owing.refunds[0].status) == (1500, 0, "due")
    before = len(stand_in.refunds)
    harness.run_all("webhooks")
    with harness.engine.begin() as db:
        dead = (deliveries.c.effect == "payments.refund", deliveries.c.state == DeliveryState.DEAD)
        row = db.execute(select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(*dead)).one()
    key = DeliveryKey(**row._mapping)
    assert "has failed" in harness.row(key).last_error
    assert len(stand_in.refunds) == before
    return key


def test_a_refund_that_fails_after_it_was_taken_is_due_again(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    sending(refunding)
    for number in (2, 3):
        key = dead_again(refunding, stand_in, payment_id)
        require_sound(refunding)
        with refunding.engine.begin() as db:
            found = db.execute(status_query(refunding.row(key).id)).one()
            retry_delivery(db, actor=factories.OPERATOR, delivery=DeliveryStatus.of(found), now=datetime.now(UTC))
        # However often it is looked at, and though an answer is lost.
        stand_in.troubles.extend([None, "lose"])
        refunding.run_all("webhooks")
        again(refunding, key)
        paid = present(refunding, payment_id)
        assert (paid.refund_due, paid.refunded, paid.refunds[0].reference) == (0, 1500, f"re_{number}")
        assert stand_in.refunded(REFERENCE) == 1500
        require_sound(refunding)


def test_a_refund_that_has_failed_at_once_is_sent_again_by_a_retry(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    stand_in.troubles.extend([None, "lose"])
    key = sending(refunding)
    stand_in.fail(stand_in.refunds[0])
    again(refunding, key)
    assert [each["status"] for each in stand_in.refunds] == ["failed", "succeeded"]
    assert present(refunding, payment_id).refunds[0].reference == "re_2"


def test_what_an_operator_has_entered_is_not_sent(refunding: Harness, stand_in: StripeStandIn) -> None:
    payment_id = owed(refunding)
    refunding.deliver("payments.start_refund")
    paid = present(refunding, payment_id)
    with refunding.transactions() as db:
        refund = PaymentOfRefund(**vars(paid), refund_id=paid.refunds[0].id)
        complete_refund(db, actor=factories.OPERATOR, payment=refund, reference="by bank", now=datetime.now(UTC))
    assert refunding.row(sending(refunding)).state == DeliveryState.CANCELLED
    assert stand_in.calls == []


def test_money_that_came_otherwise_goes_back_otherwise(refunding: Harness, stand_in: StripeStandIn) -> None:
    owed(refunding, by_stripe=False)
    refunding.run_all("webhooks")
    with refunding.engine.begin() as db:
        assert db.execute(select(payments.c.refund_due)).scalar_one() == 1500
    assert stand_in.calls == []


def message(amount: int = 1) -> RefundMessage:
    now = datetime.now(UTC)
    return RefundMessage(
        refund_id=uuid4(), amount=amount, currency="USD", reference=REFERENCE, created_at=now, prepared_at=now
    )


def test_an_outage_of_stripe_opens_the_circuit(stand_in: StripeStandIn) -> None:
    protected = protected_stripe(StripeTransport(provider(stand_in)))
    assert isinstance(protected, Protected)
    stand_in.troubles.extend([500] * 20)
    for _ in range(10):
        with suppress(Postpone):
            assert protected.send(message()).unavailable
    assert 1 <= len(stand_in.calls) < 10


def test_a_worker_has_the_transport_where_it_is_configured() -> None:
    def transport(chosen: Settings) -> object:
        return routes_of(["webhooks"], chosen, load())["stripe"].transport

    nothing = settings_for("postgresql://tutelage@127.0.0.1:1/nothing")
    assert isinstance(transport(nothing), NotConfigured)
    chosen = {
        "stripe_api_key": API_KEY,
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "checkout_origins": ("https://a.example",),
    }
    assert isinstance(transport(settings_for("postgresql://tutelage@127.0.0.1:1/nothing", **chosen)), Protected)
