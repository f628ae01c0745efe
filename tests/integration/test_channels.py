"""Tests of the operators' own channels: sent of what they asked for, by addresses that settings alone hold."""

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from socket import socket
from threading import Event, active_count
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from config.settings import NOTICE_KINDS
from models.events import deliveries
from tests.factories import OPERATOR, accept_booking, make_booking, make_session
from tests.integration.harness import Harness, routes
from tests.queries import execute, scalars
from tests.receivers import HttpReceiver, Talk, dripping, http_receiver, silent, talker
from workers.routes import protected_channels
from workers.runner import DeliveryRunner
from workers.transports.apprise import DEADLINE_SECONDS, MAX_HANGING, AppriseTransport
from workflows.events.delivery import SendResult
from workflows.events.subscriptions import load
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.kinds import OPERATOR_NOTICES
from workflows.notifications.mails import Notice
from workflows.notifications.texts import Words
from workflows.sessions.cancel import cancel
from workflows.sessions.records import SessionWithTerms, session_with_terms_query

SECRET = "T00-very-secret"
# Each read gets an answer in time, and the response never ends.
DRIPPING = dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"x")


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        receiver.status = 200
        yield receiver


def url_of(service: HttpReceiver) -> str:
    return f"{service.url.replace('http://', 'json://')}/{SECRET}"


def notice(channel: str) -> Notice:
    words = Words("Session booked", "Session 7.")
    now = datetime.now(UTC)
    return Notice(delivery_id=uuid4(), channel=channel, words=words, written_at=now, prepared_at=now)


def test_a_notice_reaches_its_channel_alone(service: HttpReceiver) -> None:
    url = url_of(service)
    transport = AppriseTransport({"chat": url, "other": "json://127.0.0.1:1/other"})
    assert transport.send(notice("chat")).error is None
    (request,) = service.requests
    assert request.path.startswith(f"/{SECRET}")
    sent = json.loads(request.body)
    assert (sent["title"], sent["message"]) == ("Session booked", "Session 7.")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_no_log_and_no_error_holds_an_address(
    service: HttpReceiver, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    url = url_of(service)
    transport = AppriseTransport({"chat": url})
    service.status = 500
    with caplog.at_level(level):
        report = transport.send(notice("chat"))
    assert (report.error, report.error_class) == ("JSON did not take the notice.", "protocol")
    assert not report.permanent
    assert SECRET not in caplog.text


def test_a_channel_removed_from_the_settings_gets_nothing() -> None:
    report = AppriseTransport({}).send(notice("0123456789abcdef"))
    assert report.error == "The operators no longer have this channel."


def test_an_unknown_address_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="APPRISE_URLS holds an address") as refused:
        AppriseTransport({"chat": f"pigeon://{SECRET}"})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("talk", [pytest.param(silent, id="silence"), pytest.param(DRIPPING, id="dripping")])
def test_a_channel_that_hangs_is_not_waited_for_beyond_the_deadline(talk: Talk) -> None:
    with talker(talk) as port:
        url = f"json://127.0.0.1:{port}/{SECRET}"
        transport = AppriseTransport({"chat": url}, deadline=0.5)
        began = time.monotonic()
        report = transport.send(notice("chat"))
        took = time.monotonic() - began
    assert (report.error_class, report.error) == ("timeout", "JSON did not answer within 0.5 s.")
    assert report.unavailable
    assert not report.permanent
    assert 0.4 < took < 5


def test_a_channel_that_always_hangs_holds_few_threads() -> None:
    with talker(DRIPPING) as port:
        url = f"json://127.0.0.1:{port}/{SECRET}"
        transport = AppriseTransport({"chat": url}, deadline=0.05)
        before = active_count()
        for _ in range(2 * MAX_HANGING):
            assert transport.send(notice("chat")).unavailable
        assert active_count() - before <= MAX_HANGING


def test_closing_ends_a_send_that_hangs() -> None:
    connected = Event()

    def hang(connection: socket, stop: Event) -> None:
        connected.set()
        silent(connection, stop)

    with talker(hang) as port, ThreadPoolExecutor(1) as sender:
        url = f"json://127.0.0.1:{port}/{SECRET}"
        transport = AppriseTransport({"chat": url}, deadline=60)
        sending = sender.submit(transport.send, notice("chat"))
        assert connected.wait(10)
        transport.close()
        assert sending.result(10).error_class == "timeout"


def cancelled_session(harness: Harness) -> UUID:
    """The id of a session that an operator has cancelled."""
    with harness.transactions() as db:
        session_id = make_session(db).id
        found = SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())
        cancel(db, actor=OPERATOR, session=found, reason="A private matter.", now=datetime.now(UTC))
    return session_id


def with_channels(harness: Harness, deadline: float = DEADLINE_SECONDS, **urls: str) -> Harness:
    """The same harness, which sends notices of cancelled sessions to these channels by Apprise."""
    telling = with_policy(harness, notice_channels=tuple(urls), notice_kinds=frozenset({"session_cancelled"}))
    channels = protected_channels(AppriseTransport(urls, deadline=deadline))
    transports = routes(mail=telling.mail, http=telling.http, push=telling.push, channels=channels)
    telling.deliverer = DeliveryRunner(telling.transactions, telling.effects, transports)
    return telling


def test_a_channel_gets_the_notice_of_a_cancelled_session(harness: Harness, service: HttpReceiver) -> None:
    telling = with_channels(harness, chat=url_of(service))
    session_id = cancelled_session(telling)
    telling.run_all()
    (request,) = service.requests
    sent = json.loads(request.body)
    assert sent["title"] == "Session cancelled by the operator"
    assert str(session_id) in sent["message"]
    assert "private" not in sent["message"]
    assert telling.row(telling.key("channels.send")).state == "done"


def test_a_notice_reaches_its_channel_after_a_change_of_address(harness: Harness, service: HttpReceiver) -> None:
    before = with_channels(harness, chat="json://127.0.0.1:1/former")
    cancelled_session(before)
    before.deliver("channels.session_cancelled")
    after = with_channels(harness, chat=url_of(service))
    after.run_all()
    assert len(service.requests) == 1


def test_a_notice_is_sent_again_after_the_worker_died(harness: Harness, service: HttpReceiver) -> None:
    class Killed(BaseException):
        pass

    def die(_notice: object) -> SendResult:
        raise Killed

    dying = with_policy(harness, notice_channels=("chat",), notice_kinds=frozenset(OPERATOR_NOTICES))
    dying.channels.answers = die
    cancelled_session(dying)
    dying.deliver("channels.session_cancelled")
    with pytest.raises(Killed):
        dying.deliver("channels.send")
    surviving = with_channels(harness, chat=url_of(service))
    key = surviving.deliver("channels.send")
    assert service.requests == [], "still leased"
    surviving.change(key, lease_until=func.now())
    surviving.deliverer.deliver(key)
    assert len(service.requests) == 1
    assert surviving.row(key).state == "done"


def test_a_channel_that_hangs_costs_no_attempt_and_delays_no_other(harness: Harness, service: HttpReceiver) -> None:
    with talker(DRIPPING) as port:
        hangs = f"json://127.0.0.1:{port}/{SECRET}"
        telling = with_channels(harness, deadline=1.0, hanging=hangs, chat=url_of(service))
        for _ in range(3):
            cancelled_session(telling)
        began = time.monotonic()
        telling.run_all()
        took = time.monotonic() - began
    assert len(service.requests) == 3
    assert took < 10
    rows = execute(telling.engine, select(deliveries).where(deliveries.c.target == "hanging")).all()
    assert [(row.state, row.attempts, row.due_at > row.created_at) for row in rows] == [("pending", 0, True)] * 3


def with_policy(harness: Harness, **policy: Any) -> Harness:
    return Harness(harness.engine, load().with_policy(OperatorPolicy(**policy)))


def test_channels_get_the_chosen_notices_without_names(harness: Harness) -> None:
    telling = with_policy(harness, notice_channels=("chat", "sms"), notice_kinds=frozenset({"session_created"}))
    with telling.transactions() as db:
        accept_booking(db, make_booking(db, title="Private matters"))
    telling.run_all()
    assert {sent.channel for sent in telling.channels.received} == {"chat", "sms"}
    for sent in telling.channels.received:
        assert sent.words.title == "Session booked"
        for private in ("Ada", "Grace", "Private matters", "@example.org"):
            assert private not in sent.words.body


def test_without_channels_or_chosen_kinds_nothing_is_sent(harness: Harness) -> None:
    for policy in ({}, {"notice_channels": ("chat",)}, {"notice_kinds": frozenset(OPERATOR_NOTICES)}):
        with harness.transactions() as db:
            accept_booking(db, make_booking(db))
        with_policy(harness, **policy).run_all()
    assert "channels.send" not in set(scalars(harness.engine, select(deliveries.c.effect)))


def test_the_settings_know_every_kind_of_notice() -> None:
    assert set(NOTICE_KINDS) == set(OPERATOR_NOTICES)
