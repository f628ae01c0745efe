"""Tests of mails that are gathered: after ten of a kind within an hour, a person gets the others as one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from models.events import deliveries
from models.notifications import notifications
from tests.factories import acting_user, make_booking, make_event, make_listing, make_mentor, make_user, next_slot
from tests.integration.harness import Harness, counted_statements
from tests.mails import as_read
from workers.transports.mail import MailIdentity
from workflows.bookings.actions import cancel
from workflows.bookings.records import Booking
from workflows.events.delivery import Delivery, DeliveryKey, SendResult
from workflows.events.subscriptions import load
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.gathering import HELD_FOR, HELD_REASON, MailToSend, hold_excess
from workflows.notifications.kinds import KINDS
from workflows.notifications.mails import SEND_MAIL, Mail

LIMIT = 10
IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "Operators <operators@tutelage.example>")
TAKEN = SendResult(status_code=250)


class Grace:
    """A mentor with her mails."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.user = make_user(db, name="Grace")
            self.mentor = make_mentor(db, self.user)
            self.listing = make_listing(db, self.mentor)
            self.ada = make_user(db, name="Ada")

    def be_asked(self, times: int, *, start: datetime | None = None, title: str | None = None) -> list[Booking]:
        """Get that many requests, whose notifications are written and whose mails are not sent."""
        with self.harness.transactions() as db:
            made = [
                make_booking(db, listing=self.listing, mentee=self.ada, start_time=start or next_slot(), title=title)
                for _ in range(times)
            ]
        self.harness.deliverer.deliver(
            *(key for key in self.harness._due("notifications") if key.effect != SEND_MAIL.name)
        )
        return made

    def withdraw(self, bookings: Sequence[Booking]) -> None:
        with self.harness.transactions() as db:
            for booking in bookings:
                cancel(db, actor=acting_user(self.ada), booking=booking, reason=None, now=datetime.now(UTC))

    def send(self) -> None:
        """Send what is due, all at once."""
        while due := [key for key in self.harness._due() if key.effect == SEND_MAIL.name]:
            self.harness.deliverer.deliver(*due)

    def wait(self, length: timedelta = HELD_FOR) -> None:
        """Let so much time pass for the mails that are held."""
        with self.harness.engine.begin() as db:
            held = notifications.c.gathered_until
            db.execute(update(notifications).where(held.is_not(None)).values(gathered_until=held - length))
            pending = (deliveries.c.effect == SEND_MAIL.name, deliveries.c.state == "pending")
            shifted = {name: deliveries.c[name] - length for name in ("due_at", "nudge_at")}
            db.execute(update(deliveries).where(*pending).values(**shifted))

    @property
    def sent(self) -> list[Mail]:
        return self.harness.mail.received

    def states(self) -> list[str]:
        return [str(state) for state in self._mails("state")]

    def reasons(self) -> list[str | None]:
        """The reason that operators are shown of each mail."""
        return self._mails("last_error")

    def _mails(self, column: str) -> list[Any]:
        query = select(deliveries.c[column]).where(deliveries.c.effect == SEND_MAIL.name)
        with self.harness.engine.connect() as db:
            return list(db.scalars(query.order_by(deliveries.c.event_id)))


@pytest.fixture
def grace(harness: Harness) -> Grace:
    return Grace(harness)


def test_mails_beyond_the_limit_are_sent_as_one(grace: Grace) -> None:
    grace.be_asked(LIMIT + 5)
    grace.send()
    assert [len(mail.gathered) for mail in grace.sent] == [0] * LIMIT
    assert grace.states() == ["done"] * LIMIT + ["pending"] * 5
    assert grace.reasons() == [None] * LIMIT + [HELD_REASON] * 5
    grace.send()
    assert len(grace.sent) == LIMIT, "before its time"
    grace.wait()
    grace.send()
    (one,) = grace.sent[LIMIT:]
    assert one.subject == "5 notifications: “A mentee requests a session with you.”"
    assert {mail.subject for mail in one.gathered} == {"Ada requested a session with you"}
    assert len({mail.delivery_id for mail in (*grace.sent[:LIMIT], *one.gathered)}) == LIMIT + 5
    assert grace.states() == ["done"] * (LIMIT + 5)
    assert grace.reasons() == [None] * (LIMIT + 1) + [f"It was sent in the mail of the delivery {one.delivery_id}."] * 4


def test_mails_that_are_held_at_different_times_are_sent_together(grace: Grace) -> None:
    for _ in range(4):
        grace.be_asked(LIMIT)
        grace.send()
        grace.wait(timedelta(minutes=3))
    grace.wait()
    grace.send()
    assert [len(mail.gathered) for mail in grace.sent] == [0] * LIMIT + [3 * LIMIT]
    # While it goes on, no mail is sent alone.
    grace.be_asked(1)
    grace.send()
    assert grace.states().count("pending") == 1


def test_all_are_sent_within_a_quarter_of_an_hour(grace: Grace) -> None:
    grace.be_asked(LIMIT + 2)
    grace.send()
    query = select(notifications.c.gathered_until - func.now()).where(notifications.c.gathered_until.is_not(None))
    with grace.harness.engine.connect() as db:
        for left in db.scalars(query):
            assert HELD_FOR - timedelta(minutes=1, seconds=30) < left <= HELD_FOR


def test_mails_about_what_is_near_are_held_shortly(grace: Grace) -> None:
    grace.be_asked(LIMIT)
    soon = datetime.now(UTC) + timedelta(minutes=30)
    grace.be_asked(1, start=soon)
    grace.send()
    grace.wait(timedelta(minutes=2))
    grace.send()
    assert grace.states() == ["done"] * (LIMIT + 1)


def test_other_kinds_and_other_people_have_a_limit_of_their_own(grace: Grace) -> None:
    other = Grace(grace.harness)
    asked = grace.be_asked(LIMIT)
    other.be_asked(LIMIT)
    grace.send()
    grace.withdraw(asked[:3])
    grace.harness.run_all("notifications")
    assert set(grace.states()) == {"done"}
    assert [len(mail.gathered) for mail in grace.sent] == [0] * (2 * LIMIT + 3)


def test_mails_of_the_hour_before_are_not_counted(grace: Grace) -> None:
    grace.be_asked(LIMIT)
    grace.send()
    with grace.harness.engine.begin() as db:
        db.execute(update(deliveries).where(deliveries.c.done_at.is_not(None)).values(done_at=an_hour_ago()))
    grace.be_asked(1)
    grace.send()
    assert len(grace.sent) == LIMIT + 1


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1, seconds=5)


def test_a_cancelled_request_is_not_listed(grace: Grace) -> None:
    asked = grace.be_asked(LIMIT + 5)
    grace.send()
    # Two whose deliveries would send the others, and another one.
    grace.withdraw([asked[LIMIT], asked[LIMIT + 1], asked[LIMIT + 3]])
    grace.wait()
    grace.harness.run_all("notifications")
    grace.wait(timedelta(minutes=2))
    grace.harness.run_all("notifications")
    (one,) = grace.sent[LIMIT:]
    assert [one.subject.partition(":")[0], len(one.gathered)] == ["2 notifications", 2]
    grace.wait(timedelta(minutes=2))
    grace.harness.run_all("notifications")
    # Nor are the cancellations mailed.
    assert len(grace.sent) == LIMIT + 1
    assert sorted(grace.states()) == ["cancelled"] * 6 + ["done"] * (LIMIT + 2)


def test_cancelled_requests_that_were_held_are_not_mailed_at_all(grace: Grace) -> None:
    asked = grace.be_asked(LIMIT + 3)
    grace.send()
    grace.withdraw(asked[LIMIT:])
    for _ in range(2):
        grace.wait()
        grace.harness.run_all("notifications")
    assert len(grace.sent) == LIMIT


def test_a_worker_that_dies_loses_none_and_sends_none_twice(grace: Grace) -> None:
    class Killed(BaseException):
        pass

    grace.be_asked(LIMIT + 4)
    grace.send()
    grace.wait()
    first: list[Mail] = []

    def die(mail: Mail) -> SendResult:
        first.append(mail)
        raise Killed

    grace.harness.mail.answers = die
    held = grace.harness._due()
    with pytest.raises(Killed):
        grace.send()
    # More of the kind come meanwhile: the second attempt sends what the first one did.
    grace.harness.mail.answers = lambda _mail: TAKEN
    grace.be_asked(3)
    grace.send()
    grace.harness.deliverer.deliver(*held)
    assert len(grace.sent) == LIMIT + 1, "while its lease lasts, others leave it alone"
    with grace.harness.engine.begin() as db:
        db.execute(update(deliveries).values(lease_until=None).where(deliveries.c.lease_until.is_not(None)))
    grace.send()
    second = grace.sent[-1]
    assert (second.delivery_id, second.gathered) == (first[0].delivery_id, first[0].gathered)
    assert grace.states() == ["done"] * (LIMIT + 4) + ["pending"] * 3


def test_a_failed_attempt_is_made_again_with_the_same_mails(grace: Grace) -> None:
    grace.be_asked(LIMIT + 4)
    grace.send()
    grace.wait()
    grace.harness.mail.answers = lambda _mail: SendResult(error="451 later", status_code=451)
    grace.send()
    # The others are due by now, and wait for it.
    grace.wait(timedelta(minutes=1))
    grace.harness.mail.answers = lambda _mail: TAKEN
    grace.send()
    assert [len(mail.gathered) for mail in grace.sent[LIMIT:]] == [4, 4]
    assert len({mail.delivery_id for mail in grace.sent[LIMIT:]}) == 1
    assert set(grace.states()) == {"done"}


def test_another_one_sends_them_once_the_first_is_given_up(grace: Grace) -> None:
    grace.be_asked(LIMIT + 4)
    grace.send()
    grace.wait()
    grace.harness.mail.answers = lambda _mail: SendResult(error="550 no", permanent=True, status_code=550)
    grace.send()
    grace.harness.mail.answers = lambda _mail: TAKEN
    grace.wait(timedelta(minutes=2))
    grace.send()
    assert [len(mail.gathered) for mail in grace.sent[LIMIT:]] == [4, 3]
    assert grace.states() == ["done"] * LIMIT + ["dead"] + ["done"] * 3


def test_several_workers_at_once_keep_the_limit(grace: Grace) -> None:
    grace.be_asked(60)
    due = [key for key in grace.harness._due() if key.effect == SEND_MAIL.name]
    batches = [due[at::6] for at in range(6)]
    with ThreadPoolExecutor(len(batches)) as workers:
        list(workers.map(lambda batch: grace.harness.deliverer.deliver(*batch), batches))
    singly = len(grace.sent)
    assert singly <= LIMIT
    for _ in range(3):
        grace.wait()
        with ThreadPoolExecutor(len(batches)) as workers:
            list(workers.map(lambda batch: grace.harness.deliverer.deliver(*batch), batches))
    listed = [each.delivery_id for mail in grace.sent for each in mail.gathered or [mail]]
    assert sorted(listed) == sorted(set(listed))
    assert len(listed) == 60
    assert set(grace.states()) == {"done"}


def test_without_a_limit_every_mail_is_sent_by_itself(harness: Harness) -> None:
    unlimited = Harness(harness.engine, load().with_policy(OperatorPolicy(mail_gather_after=0)))
    grace = Grace(unlimited)
    grace.be_asked(LIMIT + 5)
    grace.send()
    assert [len(mail.gathered) for mail in grace.sent] == [0] * (LIMIT + 5)


def test_a_mail_that_was_tried_before_is_not_held(grace: Grace) -> None:
    grace.be_asked(1)
    grace.harness.mail.answers = lambda _mail: SendResult(error="451 later", status_code=451)
    grace.send()
    grace.harness.mail.answers = lambda _mail: TAKEN
    grace.be_asked(LIMIT)
    grace.send()
    assert len(grace.sent) == LIMIT, "it counts"
    grace.wait(timedelta(minutes=1))
    grace.send()
    assert len(grace.sent) == LIMIT + 1


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.urgent])
def test_urgent_mails_are_never_held(harness: Harness, kind: str) -> None:
    with harness.transactions() as db:
        event = make_event(db)
    delivery = Delivery(
        key=DeliveryKey(event_id=event.id, effect=SEND_MAIL.name),
        id=uuid4(),
        event=event,
        nudges=0,
        attempt=1,
        fence=1,
        attempts_reset=0,
        now=datetime.now(UTC),
    )
    mail = MailToSend(delivery=delivery, user_id=uuid4(), kind=kind, mailed=LIMIT)
    with harness.engine.connect() as db:
        assert hold_excess(db, [mail], gather_after=LIMIT) == {}


def test_reminders_waiting_lists_starts_and_payments_are_urgent() -> None:
    urgent = {name for name, kind in KINDS.items() if kind.urgent}
    assert urgent == {"session_reminder", "session_started", "waitlist_offered", "payment_due"}


def test_the_limit_costs_no_statement_of_its_own(grace: Grace) -> None:
    grace.be_asked(3)
    keys = [key for key in grace.harness._due() if key.effect == SEND_MAIL.name]
    with counted_statements(grace.harness.engine) as made:
        grace.harness.deliverer.deliver(*keys)
    assert len([each for each in made if "notifications" in each]) == 1


def read(mail: Mail) -> EmailMessage:
    """The mail as its reader's program has it."""
    return as_read(mail, IDENTITY)


def bodies(mail: Mail) -> tuple[str, str]:
    message = read(mail)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_the_one_mail_lists_all_escaped(grace: Grace) -> None:
    grace.be_asked(LIMIT)
    grace.be_asked(2, title="<b>Algebra & more</b>")
    grace.send()
    grace.wait()
    grace.send()
    plain, html = bodies(grace.sent[-1])
    assert plain.startswith(
        "You had many mails of this kind within an hour, so these 2 are sent as one.\n\n1. Ada requ"
    )
    assert "\n\n2. Ada requested a session with you\n\n" in plain
    assert plain.count("“<b>Algebra & more</b>”") == html.count("“&lt;b&gt;Algebra &amp; more&lt;/b&gt;”") == 2
    assert "<p>2. Ada requested a session with you</p>" in html
    assert "<b>" not in html


def test_sessions_in_one_mail_have_their_invitations_as_files(harness: Harness) -> None:
    grace = Grace(harness)
    with harness.transactions() as db:
        instant = make_listing(db, grace.mentor, booking_mode="instant", title="At once")
        for _ in range(LIMIT + 2):
            make_booking(db, listing=instant, mentee=grace.ada)
    harness.run_all()
    grace.wait()
    harness.run_all()
    (one,) = [mail for mail in grace.sent if mail.gathered and mail.to_name == "Grace"]
    files = [part.get_filename() for part in read(one).iter_attachments()]
    assert files == ["invite-1.ics", "invite-2.ics"]
