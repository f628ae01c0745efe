"""Refunds through Stripe at one moment: retried twice, or failing while they are entered; each goes back once."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from models.events import DeliveryState, deliveries, events
from models.payments import payment_entries
from tests import factories
from tests.application import World
from tests.concurrency.racing import ROUNDS, Race, meanwhile
from tests.eventually import eventually
from tests.integration.harness import Harness
from tests.integration.test_stripe_refunds import owed, present, provider, require_sound
from tests.stripe_stand_in import API_KEY, WEBHOOK_SECRET, StripeStandIn, event, signed, stripe_stand_in
from workers.transports.stripe import StripeTransport
from workflows.events.delivery import DeliveryKey, DeliveryStatus
from workflows.events.status import status_query
from workflows.kernel.errors import InvalidTransition
from workflows.operators.deliveries import retry_delivery
from workflows.settlements.actions import waive

SENT = ["charge", "refund_due", "refund_done"]


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with stripe_stand_in() as running:
        yield running


@pytest.fixture
def world(engine: Engine, stand_in: StripeStandIn) -> World:
    chosen = {"stripe_api_key": API_KEY, "stripe_webhook_secret": WEBHOOK_SECRET, "stripe_api_base": stand_in.url}
    return World.on(engine, **chosen, checkout_origins=("https://app.example.org",))


def worker(engine: Engine, stand_in: StripeStandIn) -> Harness:
    return Harness(engine, stripe=StripeTransport(provider(stand_in)))


def tell(world: World, about: dict[str, Any]) -> int:
    body, signature = signed(about)
    headers = {"Stripe-Signature": signature}
    answer = world.client.post("/payments/stripe", data=body, content_type="application/json", headers=headers)
    return answer.status_code


def of_payment(harness: Harness, payment_id: UUID) -> list[DeliveryKey]:
    """The deliveries of the refunds of a payment, the oldest first."""
    columns = (deliveries.c.event_id, deliveries.c.effect, deliveries.c.target)
    of_it = (events.c.subject_id == payment_id, deliveries.c.effect == "payments.refund")
    query = select(*columns).join_from(deliveries, events, events.c.id == deliveries.c.event_id).where(*of_it)
    with harness.engine.begin() as db:
        return [DeliveryKey(**row._mapping) for row in db.execute(query.order_by(events.c.sequence))]


def kinds(harness: Harness, payment_id: UUID) -> list[str]:
    query = select(payment_entries.c.kind).where(payment_entries.c.payment_id == payment_id)
    with harness.engine.begin() as db:
        return list(db.scalars(query.order_by(payment_entries.c.sequence)))


def retry(harness: Harness, key: DeliveryKey) -> None:
    with harness.transactions() as db:
        status = DeliveryStatus.of(db.execute(status_query(harness.row(key).id)).one())
        retry_delivery(db, actor=factories.OPERATOR, delivery=status, now=datetime.now(UTC))


def retry_and_deliver(harness: Harness, key: DeliveryKey) -> None:
    with suppress(InvalidTransition):
        retry(harness, key)
    harness.deliverer.deliver(key)


def test_a_failed_refund_that_two_retry_at_once_goes_back_once(
    engine: Engine, race: Race, world: World, stand_in: StripeStandIn
) -> None:
    workers = [worker(engine, stand_in) for _ in range(3)]
    for number in range(ROUNDS):
        reference = f"pi_{number}"
        stand_in.charged[reference] = 4000
        payment_id = owed(workers[0], reference=reference)
        workers[0].run_all("webhooks")
        assert tell(world, stand_in.fail(stand_in.refunds[-1])) == 200
        workers[0].run_all("webhooks")
        key = of_payment(workers[0], payment_id)[-1]
        assert workers[0].row(key).state == DeliveryState.DEAD
        race.run([partial(retry_and_deliver, each, key) for each in workers])
        workers[0].run_all("webhooks")
        assert workers[0].row(key).state == DeliveryState.DONE
        sent = [each["status"] for each in stand_in.refunds if each["payment_intent"] == reference]
        assert sent == ["failed", "succeeded"]
        paid = present(workers[0], payment_id)
        assert (paid.refund_due, paid.refunded) == (0, 1500)
        assert kinds(workers[0], payment_id) == [*SENT, "refund_failed", "refund_done"]
    require_sound(workers[0])


def test_a_refund_that_fails_while_it_is_entered_is_due_again(
    engine: Engine, race: Race, world: World, stand_in: StripeStandIn
) -> None:
    harness = worker(engine, stand_in)
    for number in range(ROUNDS):
        reference = f"pi_{number}"
        stand_in.charged[reference] = 4000
        payment_id = owed(harness, reference=reference)
        start = select(deliveries.c.event_id).where(
            deliveries.c.effect == "payments.start_refund", deliveries.c.state == DeliveryState.PENDING
        )
        with engine.begin() as db:
            event_id = db.scalars(start).one()
        harness.deliver("payments.start_refund", event_id)
        (key,) = of_payment(harness, payment_id)

        def fails(reference: str = reference, key: DeliveryKey = key) -> None:
            """Stripe tells of the failure as soon as it has the refund, and again until it is taken."""
            mine = eventually(
                lambda: [each for each in stand_in.refunds if each["payment_intent"] == reference], "a refund at Stripe"
            )
            told = stand_in.fail(mine[0])
            # Where its first answer told of the failure, nothing was entered: the refund is due as before.
            eventually(
                lambda: tell(world, told) == 200 or harness.row(key).state == DeliveryState.DEAD, "the failure is taken"
            )

        race.run([partial(harness.deliverer.deliver, key), fails])
        harness.run_all("webhooks")
        owing = present(harness, payment_id)
        assert (owing.refund_due, owing.refunded, owing.refunds[0].status) == (1500, 0, "due")
        assert kinds(harness, payment_id) in (SENT[:2], [*SENT, "refund_failed"])
        dead = [each for each in of_payment(harness, payment_id) if harness.row(each).state == DeliveryState.DEAD]
        assert len(dead) == 1
        retry(harness, dead[0])
        harness.run_all("webhooks")
        assert stand_in.refunded(reference) == present(harness, payment_id).refunded == 1500
    require_sound(harness)


def test_money_that_arrives_while_its_payment_is_waived_goes_back(
    engine: Engine, world: World, stand_in: StripeStandIn
) -> None:
    harness = worker(engine, stand_in)
    with harness.transactions() as db:
        payment = factories.make_prepaid_booking(db).payment
    assert payment is not None
    stand_in.charged["pi_late"] = payment.amount
    money = {"amount_total": payment.amount, "currency": "usd", "payment_intent": "pi_late", "payment_status": "paid"}
    paid = event("checkout.session.completed", {**money, "metadata": {"tutelage_payment_id": str(payment.id)}})
    now = datetime.now(UTC)
    answered = meanwhile(
        engine,
        lambda db: waive(db, actor=factories.OPERATOR, payment=payment, reason="A voucher.", now=now),
        lambda _db: tell(world, paid),
    )
    assert answered == 200
    harness.run_all("webhooks")
    assert stand_in.refunded("pi_late") == payment.amount
