"""Tests of Web Push: what leaves is for one browser alone, and a browser that has gone is forgotten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import func, select

from config.sealing import Sealer
from config.vapid import Vapid, new_private_key, vapid
from infrastructure.http_client import HttpClient
from models.notifications import Channel, notifications, push_subscriptions
from tests.factories import acting_user, make_booking, make_listing, make_mentor, make_user
from tests.integration.browsers import SubscribedBrowser, text
from tests.integration.harness import Harness, routes
from tests.receivers import HttpReceiver, Request, http_receiver
from workers.runner import DeliveryRunner
from workers.transports import NotConfigured, Transport
from workers.transports.web_push import SIGNATURE_SECONDS, WebPushTransport
from workflows.accounts.records import User
from workflows.events.delivery import PUSH_RETRY_POLICY, DeliveryKey
from workflows.events.subscriptions import load
from workflows.kernel.errors import Invalid
from workflows.notifications.preferences import Choice, switch_off
from workflows.notifications.push_subscriptions import MAX_SUBSCRIPTIONS, Browser, subscribe_browser
from workflows.notifications.pushes import PUSH_USEFUL_FOR, PushMessage
from workflows.notifications.texts import Words

SEALER = Sealer(["a passphrase that is long enough for these tests"])
LOOPBACK = [ip_network("127.0.0.0/8")]
KEYS = SubscribedBrowser("https://push.example/x").subscription["keys"]


@pytest.fixture
def key() -> Vapid:
    made = vapid(new_private_key(), "mailto:operators@tutelage.example")
    assert made is not None
    return made


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        receiver.status = 201
        yield receiver


@pytest.fixture
def browser(service: HttpReceiver) -> SubscribedBrowser:
    return SubscribedBrowser(f"{service.url}/send/abc")


class Pushing:
    """Grace, who is asked for a session, and whose browser shows it."""

    def __init__(self, harness: Harness, key: Vapid | None) -> None:
        self.harness = harness
        transport: Transport[Any] = NotConfigured("Nothing is pushed here any more.")
        if key is not None:
            transport = WebPushTransport(key, SEALER, HttpClient(LOOPBACK), "https://t.example")
        harness.deliverer = DeliveryRunner(harness.transactions, load(), routes(mail=harness.mail, push=transport))
        with harness.transactions() as db:
            self.grace = make_user(db, name="Grace")
            self.listing = make_listing(db, make_mentor(db, self.grace))

    def subscribe(self, browser: SubscribedBrowser, user: User | None = None) -> Browser:
        """Subscribe a browser of Grace, or of another user."""
        keys = browser.subscription["keys"]
        with self.harness.transactions() as db:
            return subscribe_browser(
                db,
                actor=acting_user(user or self.grace),
                endpoint=browser.endpoint,
                seal=SEALER.seal,
                allowed=LOOPBACK,
                **keys,
            )

    def be_asked(self) -> None:
        with self.harness.transactions() as db:
            make_booking(db, listing=self.listing)
        for key in self.harness._due():
            if key.effect == "notifications.booking_requested":
                self.harness.deliverer.deliver(key)

    def push(self) -> DeliveryKey:
        return self.harness.deliver("push.send")

    def subscriptions(self) -> list[UUID]:
        with self.harness.engine.connect() as db:
            return list(db.scalars(select(push_subscriptions.c.id)))


@pytest.fixture
def pushing(harness: Harness, key: Vapid) -> Pushing:
    return Pushing(harness, key)


def test_a_browser_can_read_what_it_is_pushed(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver
) -> None:
    pushing.subscribe(browser)
    pushing.be_asked()
    row = pushing.harness.row(pushing.push())
    assert (row.state, row.attempts) == ("done", 1)
    (request,) = service.requests
    assert request.path == "/send/abc"
    sent = browser.read(request.body)
    assert (sent["kind"], sent["title"]) == ("booking_requested", "Ada Lovelace requested a session with you")
    assert sent["url"] == "https://t.example/notifications"
    assert sent["ids"]["booking"]
    assert b"Lovelace" not in request.body


def test_a_push_is_authenticated_by_vapid(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver, key: Vapid
) -> None:
    pushing.subscribe(browser)
    pushing.be_asked()
    pushing.push()
    headers = service.requests[0].headers
    assert (headers["content-encoding"], headers["urgency"]) == ("aes128gcm", "normal")
    scheme, _, rest = headers["authorization"].partition(" ")
    fields = dict(each.strip().split("=", 1) for each in rest.split(","))
    assert (scheme, fields["k"]) == ("vapid", key.public_key)
    claims = jwt.decode(fields["t"], key.key.public_key(), algorithms=["ES256"], audience=service.url)
    assert claims["sub"] == "mailto:operators@tutelage.example"
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 24 * 3600


def test_the_databases_clock_dates_a_push(key: Vapid, browser: SubscribedBrowser, service: HttpReceiver) -> None:
    databases = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    pushed = replace(
        message(browser, Words("x", "y")), prepared_at=databases, useful_until=databases + timedelta(minutes=1)
    )
    WebPushTransport(key, SEALER, HttpClient(LOOPBACK), "https://t.example").send(pushed)
    headers = service.requests[0].headers
    token = headers["authorization"].removeprefix("vapid t=").split(",")[0]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (headers["ttl"], claims["exp"]) == ("60", int(databases.timestamp()) + SIGNATURE_SECONDS)


@pytest.mark.parametrize("status", [404, 410])
def test_a_gone_browser_is_forgotten_without_a_dead_letter(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver, status: int
) -> None:
    pushing.subscribe(browser)
    pushing.be_asked()
    service.status = status
    row = pushing.harness.row(pushing.push())
    assert row.state == "cancelled"
    assert str(status) in row.last_error
    assert pushing.subscriptions() == []


@pytest.mark.parametrize(
    ("status", "state"),
    [
        # It may pass.
        (429, "pending"),
        (500, "pending"),
        (503, "pending"),
        # It is final.
        (400, "cancelled"),
        (403, "cancelled"),
        (302, "cancelled"),
    ],
)
def test_trouble_that_passes_is_tried_again_and_no_other(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver, status: int, state: str
) -> None:
    pushing.subscribe(browser)
    pushing.be_asked()
    service.status, service.headers = status, {"Retry-After": "120", "Location": "http://127.0.0.1:1/"}
    row = pushing.harness.row(pushing.push())
    assert (row.state, row.attempts) == (state, 1)
    assert len(service.requests) == 1
    assert len(pushing.subscriptions()) == 1, "the browser is not gone"
    if status in (429, 503):
        assert 110 < (row.due_at - row.now).total_seconds() <= 120


def test_an_internal_error_ends_as_dead_and_keeps_the_browser(
    pushing: Pushing, browser: SubscribedBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("for the test")

    monkeypatch.setattr(WebPushTransport, "send", fail)
    pushing.subscribe(browser)
    pushing.be_asked()
    key = pushing.harness.key("push.send")
    pushing.harness.change(key, attempts=PUSH_RETRY_POLICY.attempts - 1)
    pushing.push()
    assert pushing.harness.row(key).state == "dead"
    assert len(pushing.subscriptions()) == 1


def test_every_browser_has_a_delivery_of_its_own(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver
) -> None:
    other = replace(browser, endpoint=f"{service.url}/send/xyz")
    targets = {str(pushing.subscribe(each).id) for each in (browser, other)}
    pushing.be_asked()
    for target in targets:
        pushing.harness.deliver("push.send", target=target)
    assert {request.path for request in service.requests} == {"/send/abc", "/send/xyz"}
    with pushing.harness.engine.connect() as db:
        query = select(func.count()).where(notifications.c.channel == Channel.PUSH)
        assert db.scalar(query) == 1


def test_a_browser_shows_nothing_of_its_former_user(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver
) -> None:
    first = pushing.subscribe(browser)
    pushing.be_asked()
    with pushing.harness.transactions() as db:
        other = make_user(db, name="Other")
    second = pushing.subscribe(browser, other)
    assert (second.id != first.id, second.user_id) == (True, other.id)
    row = pushing.harness.row(pushing.push())
    assert (row.state, service.requests) == ("cancelled", [])


def test_who_has_switched_pushes_off_gets_none(pushing: Pushing, browser: SubscribedBrowser) -> None:
    pushing.subscribe(browser)
    with pushing.harness.transactions() as db:
        switch_off(db, Choice(user_id=pushing.grace.id, kind="booking_requested", channel=Channel.PUSH))
    pushing.be_asked()
    with pushing.harness.engine.connect() as db:
        channels = set(db.scalars(select(notifications.c.channel)))
    assert channels == {Channel.IN_APP, Channel.EMAIL}


def test_a_push_switched_off_while_waiting_is_not_sent(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver
) -> None:
    pushing.subscribe(browser)
    pushing.be_asked()
    with pushing.harness.transactions() as db:
        switch_off(db, Choice(user_id=pushing.grace.id, kind="booking_requested", channel=Channel.PUSH))
    row = pushing.harness.row(pushing.push())
    assert (row.state, row.last_error) == (
        "cancelled",
        "The reader has switched off the kind booking_requested for push.",
    )
    assert service.requests == []


def test_who_unsubscribes_while_a_mail_waits_does_not_get_it(pushing: Pushing) -> None:
    pushing.be_asked()
    with pushing.harness.transactions() as db:
        switch_off(db, Choice(user_id=pushing.grace.id, kind="booking_requested", channel=Channel.EMAIL))
    row = pushing.harness.row(pushing.harness.deliver("mail.send"))
    assert (row.state, row.last_error) == (
        "cancelled",
        "The reader has switched off the kind booking_requested for email.",
    )
    assert pushing.harness.mail.received == []


def test_only_the_last_subscriber_is_kept(pushing: Pushing, service: HttpReceiver) -> None:
    ids = [
        pushing.subscribe(SubscribedBrowser(f"{service.url}/send/{number}")).id
        for number in range(MAX_SUBSCRIPTIONS + 2)
    ]
    assert set(pushing.subscriptions()) == set(ids[2:])


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://push.example/x", "push.example"),
        ("https://Push.Example:443/x", "push.example"),
        ("https://push.example:8443/x", "push.example:8443"),
    ],
)
def test_a_push_service_is_keyed_by_host_and_unusual_port(pushing: Pushing, endpoint: str, host: str) -> None:
    assert pushing.subscribe(SubscribedBrowser(endpoint)).host == host


def test_addresses_and_keys_are_stored_encrypted(pushing: Pushing, browser: SubscribedBrowser) -> None:
    pushing.subscribe(browser)
    with pushing.harness.engine.connect() as db:
        stored = str(db.execute(select(push_subscriptions)).one())
    assert "send/abc" not in stored
    assert text(browser.secret) not in stored


def test_due_pushes_are_cancelled_without_a_vapid_key(harness: Harness, browser: SubscribedBrowser) -> None:
    pushing = Pushing(harness, None)
    pushing.subscribe(browser)
    pushing.be_asked()
    row = harness.row(pushing.push())
    assert (row.state, row.last_error) == ("cancelled", "Nothing is pushed here any more.")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"endpoint": "http://push.example/x"}, "endpoint"),
        ({"endpoint": "https://10.0.0.1/x"}, "endpoint"),
        ({"endpoint": "https://localhost/x"}, "endpoint"),
        ({"endpoint": "https://user:password@push.example/x"}, "endpoint"),
        ({"endpoint": "https://push.example:22/x"}, "endpoint"),
        ({"endpoint": "javascript:alert(1)"}, "endpoint"),
        ({"p256dh": "AAAA"}, "keys.p256dh"),
        ({"p256dh": text(b"\x04" + b"\x01" * 64)}, "keys.p256dh"),
        ({"p256dh": "ü"}, "keys.p256dh"),
        ({"auth": text(b"short")}, "keys.auth"),
        ({"auth": "!"}, "keys.auth"),
        ({"auth": KEYS["auth"] + "!!!"}, "keys.auth"),
        ({"auth": KEYS["auth"] + "===="}, "keys.auth"),
        ({"auth": KEYS["auth"] + "="}, "keys.auth"),
        ({"auth": KEYS["auth"] + "\n"}, "keys.auth"),
        ({"p256dh": KEYS["p256dh"] + "!!!"}, "keys.p256dh"),
        ({"p256dh": KEYS["p256dh"] + "===="}, "keys.p256dh"),
    ],
)
def test_nothing_is_pushed_to_an_address_that_is_not_public(
    pushing: Pushing, changed: dict[str, str], field: str
) -> None:
    good = SubscribedBrowser("https://push.example/x").subscription
    fields = {"endpoint": good["endpoint"], **good["keys"], **changed}
    with pushing.harness.transactions() as db, pytest.raises(Invalid) as refused:
        subscribe_browser(db, actor=acting_user(pushing.grace), seal=SEALER.seal, allowed=[], **fields)
    assert set(refused.value.details or {}) == {field}


def test_browser_keys_are_stored_in_one_form(
    pushing: Pushing, browser: SubscribedBrowser, service: HttpReceiver
) -> None:
    compressed = browser.key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    with pushing.harness.transactions() as db:
        subscribe_browser(
            db,
            actor=acting_user(pushing.grace),
            endpoint=browser.endpoint,
            p256dh=text(compressed),
            auth=text(browser.secret) + "==",
            seal=SEALER.seal,
            allowed=LOOPBACK,
        )
    with pushing.harness.engine.connect() as db:
        sealed = db.scalars(select(push_subscriptions.c.sealed)).one()
    assert json.loads(SEALER.unseal(sealed))["keys"] == browser.subscription["keys"]
    pushing.be_asked()
    pushing.push()
    assert browser.read(service.requests[0].body)["kind"] == "booking_requested"


def message(browser: SubscribedBrowser, words: Words) -> PushMessage:
    sealed = SEALER.seal(json.dumps(browser.subscription))
    return PushMessage(
        sealed=sealed,
        host="push.example",
        subscription_id=uuid4(),
        notification_id=uuid4(),
        kind="session_created",
        words=words,
        session_id=uuid4(),
        booking_id=None,
        written_at=datetime.now(UTC),
        prepared_at=datetime.now(UTC),
        useful_until=datetime.now(UTC) + PUSH_USEFUL_FOR,
    )


def test_a_stored_private_address_is_not_called(key: Vapid, service: HttpReceiver) -> None:
    transport = WebPushTransport(key, SEALER, HttpClient([]), "https://t.example")
    inside = SubscribedBrowser(service.url.replace("http://", "https://"))
    report = transport.send(message(inside, Words("x", "y")))
    assert report.error == "The address is not allowed."
    assert service.requests == []


def test_the_longest_words_fit_into_what_push_services_take(
    key: Vapid, service: HttpReceiver, browser: SubscribedBrowser
) -> None:
    transport = WebPushTransport(key, SEALER, HttpClient(LOOPBACK), "https://t.example")
    assert transport.send(message(browser, Words("\U0001f4c5" * 500, "\u4f60" * 20_000))).error is None
    (request,) = service.requests
    assert isinstance(request, Request)
    assert len(request.body) <= 4096
    assert browser.read(request.body)["url"].startswith("https://t.example/sessions/")


def test_an_encrypted_push_reveals_nothing_to_others(
    key: Vapid, service: HttpReceiver, browser: SubscribedBrowser
) -> None:
    WebPushTransport(key, SEALER, HttpClient(LOOPBACK), "https://t.example").send(message(browser, Words("x", "y")))
    thief = replace(browser, key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(http_ece.ECEException):
        thief.read(service.requests[0].body)
