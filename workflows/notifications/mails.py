"""Outbound effects of the queue `notifications`: mails, and notices by the operators' channels.

Each is prepared from the notification that was written when its event was handled. A message is cancelled when its
reader has unsubscribed since, is no longer a party of the booking, or could do nothing with it now. Many mails of one
kind to one person are sent as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid

from models.base import Timestamp, sql
from models.events import ErrorClass
from models.notifications import Channel
from workflows.action_links.buttons import MailActions, Reader, actions_of
from workflows.action_links.link import Action, ActionLink
from workflows.calendar.icalendar import CalendarEntry
from workflows.calendar.invitation import Guest, Invitation, calendar_entries, entry_to_join, invitation_for
from workflows.events.delivery import Cancel, Delivery, Postpone, SendResult
from workflows.events.event_types import (
    BookingRequested,
    EmailChangeRequested,
    SeatJoined,
    SessionCreated,
    WebhookEndpointEvent,
)
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.kernel.clock import first_id_at
from workflows.kernel.language import gettext_noop
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.notifications.deliveries import MAILED_LATELY, gathered, mark_gathered_done
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.gathering import COUNTED_SINCE, HELD_REASON, MailToSend, hold_excess, wait_for
from workflows.notifications.kinds import KINDS
from workflows.notifications.outdated import EarlierMessages, requests_of, require_current, require_known_request
from workflows.notifications.preferences import Choice, UnsubscribeLink, can_be_stopped, is_stopped, stopped_reason
from workflows.notifications.recipients import IS_PARTY, require_recipient
from workflows.notifications.reminders import words_now
from workflows.notifications.texts import Words, compose

# The target of mails to the operators, whose address is a setting.
OPERATORS = "operators"
# Of which the mentor's mail shows the answers.
_WITH_ANSWERS = (BookingRequested, SeatJoined, SessionCreated)
WAIT_FOR_SESSION = timedelta(seconds=5)
# The targets of mails about a change of a user's address.
NEW_ADDRESS, FORMER_ADDRESS = "new_address", "former_address"
_NOT_USERS = (OPERATORS, NEW_ADDRESS, FORMER_ADDRESS)
MAILS = sql(f"""
WITH asked AS (
    SELECT * FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:joined_ids AS uuid[])
    ) AS asked(event_id, user_id, joined_id)
)
SELECT n.event_id, n.user_id, n.kind, n.title, n.body, n.created_at, n.gathered_until,
       u.name, u.email, u.time_zone, u.locale, u.links_version, p.wanted,
       {IS_PARTY} AS party, mentor.user_id IS NOT DISTINCT FROM n.user_id AS is_mentor, seat.present,
       b.cancellation_window_hours IS NOT NULL AS mentee_cancels, CAST(b.status AS text) AS booking_status,
       b.start_time, coalesce(said.answers, b.answers) AS answers,
       {MAILED_LATELY} AS mailed
FROM asked
JOIN notifications n ON n.event_id = asked.event_id AND n.user_id = asked.user_id AND n.channel = 'email'
JOIN users u ON u.id = n.user_id AND u.erased_at IS NULL
LEFT JOIN bookings b ON b.id = n.booking_id
LEFT JOIN mentor_profiles mentor ON mentor.id = b.mentor_profile_id
LEFT JOIN booking_participants seat ON seat.booking_id = n.booking_id AND seat.user_id = n.user_id
LEFT JOIN seat_answers said ON said.booking_id = n.booking_id AND said.user_id = asked.joined_id
LEFT JOIN notification_preferences p ON p.user_id = n.user_id AND p.kind = n.kind AND p.channel = n.channel
""").columns(event_id=Uuid(), user_id=Uuid(), created_at=Timestamp, gathered_until=Timestamp, start_time=Timestamp)
_EMAIL_CHANGE = sql("""
SELECT c.email, c.former_email, c.expires_at, c.open, u.name, u.time_zone, u.locale
FROM email_changes c JOIN users u ON u.id = c.user_id WHERE c.id = :id
""").columns(expires_at=Timestamp)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to one person."""

    delivery_id: UUID  # makes its Message-ID, the same on every attempt
    to_name: str
    to_address: str | None  # None for the operators, whose address is a setting
    words: Words
    written_at: datetime  # its Date, and since when it waits; a reminder's event is much older
    # Of each attempt, of which the mail is the same.
    # By the database's clock.
    prepared_at: datetime = field(compare=False)
    locale: str | None = None  # of its reader; None for the operators, who have the default one
    unsubscribe: UnsubscribeLink | None = None  # None for mails that cannot be switched off
    invitation: Invitation | None = None
    answers: str | None = None  # to the questions of its reader, encrypted
    session: CalendarEntry | None = None  # whose place it tells, since its reader is to come there
    actions: MailActions = field(default_factory=MailActions)  # where its buttons lead
    gathered: Sequence[Mail] = ()  # the mails that it replaces, in their order; it then has nothing else of its own

    @property
    def subject(self) -> str:
        return self.words.title

    @property
    def text(self) -> str:
        return self.words.body


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice for one of the operators' channels."""

    delivery_id: UUID
    channel: str  # its name, which reveals nothing of its address
    words: Words
    written_at: datetime  # since when it waits
    prepared_at: datetime  # by the database's clock


def prepare_mails(
    db: Connection, deliveries: Sequence[Delivery], *, gather_after: int = DEFAULT_POLICY.mail_gather_after
) -> list[Mail | Exception]:
    """The mails, with what all of them need read at once."""
    rows = _rows_of_mails(db, deliveries, gather_after)
    mails = _compose_mails(db, deliveries, rows)
    found = [rows.get(_key_of_row(delivery)) for delivery in deliveries]
    sendable = (
        MailToSend(delivery=delivery, user_id=row.user_id, kind=row.kind, mailed=row.mailed)
        for delivery, row, mail in zip(deliveries, found, mails, strict=True)
        if row is not None and row.gathered_until is None and isinstance(mail, Mail)
    )
    held = hold_excess(db, sendable, gather_after=gather_after)

    sendable_together: dict[tuple[Any, ...], list[tuple[Delivery, Mail]]] = {}

    def chosen(delivery: Delivery, row: Row[Any] | None, mail: Mail | Exception) -> Mail | Exception:
        if isinstance(mail, Exception) or row is None or row.gathered_until is None:
            return held.get(delivery.key, mail)
        if row.gathered_until > delivery.now:
            return Postpone(row.gathered_until, HELD_REASON, shown=True)
        together = (row.user_id, row.kind, row.gathered_until)
        if together not in sendable_together:
            sendable_together[together] = _sendable(db, row)
        return _gathered(delivery, row.kind, sendable_together[together])

    return [chosen(*each) for each in zip(deliveries, found, mails, strict=True)]


def _key_of_row(delivery: Delivery) -> tuple[UUID, str]:
    return delivery.event.id, delivery.target


def _rows_of_mails(
    db: Connection, deliveries: Sequence[Delivery], gather_after: int
) -> dict[tuple[UUID, str], Row[Any]]:
    people = [delivery for delivery in deliveries if delivery.target not in _NOT_USERS]
    if not people:
        return {}
    values = {
        "event_ids": [each.event.id for each in people],
        "user_ids": [UUID(each.target) for each in people],
        "joined_ids": [each.event.user_id if isinstance(each.event, SeatJoined) else None for each in people],
        "since": first_id_at(people[0].now - COUNTED_SINCE),
        "gather_after": gather_after,
    }
    return {(row.event_id, str(row.user_id)): row for row in db.execute(MAILS, values)}


def _compose_mails(
    db: Connection, deliveries: Sequence[Delivery], rows: Mapping[tuple[UUID, str], Row[Any]]
) -> list[Mail | Exception]:
    """Each mail, before any are gathered."""
    entries = calendar_entries(db, (each.event for each in deliveries if each.target not in _NOT_USERS))
    requests = requests_of(db, deliveries)

    def prepare(delivery: Delivery) -> Mail:
        if delivery.target == OPERATORS:
            return _mail_to_operators(db, delivery)
        if isinstance(delivery.event, EmailChangeRequested):
            return _mail_about_address(db, delivery, delivery.event)
        return _mail(db, delivery, rows, entries, requests)

    return prepare_each(deliveries, prepare)


def _sendable(db: Connection, row: Row[Any]) -> list[tuple[Delivery, Mail]]:
    """The mails that are sent together with the mail of a row, without those that were overtaken."""
    together = gathered(db, user_id=row.user_id, kind=row.kind, until=row.gathered_until)
    mails = _compose_mails(db, together, _rows_of_mails(db, together, gather_after=0))
    return [(each, mail) for each, mail in zip(together, mails, strict=True) if isinstance(mail, Mail)]


def _gathered(delivery: Delivery, kind: str, together: Sequence[tuple[Delivery, Mail]]) -> Mail | Exception:
    """The mail that replaces all of these, if this delivery is the first of them."""
    first = together[0][0] if together else None
    if first is None or first.key != delivery.key:
        return wait_for(first, now=delivery.now)
    mails = [mail for _delivery, mail in together]
    last = mails[-1]
    if len(mails) == 1:
        return last
    return Mail(
        delivery_id=delivery.id,
        to_name=last.to_name,
        to_address=last.to_address,
        locale=last.locale,
        words=compose("mails_gathered", last.locale, sentence=KINDS[kind].sentence, count=len(mails)),
        written_at=last.written_at,
        prepared_at=delivery.now,
        unsubscribe=last.unsubscribe,
        gathered=mails,
    )


def settle_mail(db: Connection, delivery: Delivery, mail: Mail, sent: SendResult) -> None:
    if sent.error is None and mail.gathered:
        others = [each.delivery_id for each in mail.gathered if each.delivery_id != delivery.id]
        mark_gathered_done(db, others, sent_by=delivery.id)


def with_mail_policy(effect: OutboundEffect[Mail], policy: OperatorPolicy) -> OutboundEffect[Mail]:
    return replace(effect, prepare=partial(prepare_mails, gather_after=policy.mail_gather_after))


def _mail(
    db: Connection,
    delivery: Delivery,
    rows: Mapping[tuple[UUID, str], Row[Any]],
    entries: Mapping[UUID, CalendarEntry],
    requests: EarlierMessages,
) -> Mail:
    event, reader_id = delivery.event, UUID(delivery.target)
    row = rows.get(_key_of_row(delivery))
    if row is None:
        raise Cancel("There is no notification to be mailed.")
    if is_stopped(row.kind, Channel.EMAIL, wanted=row.wanted):
        raise Cancel(stopped_reason(row.kind, Channel.EMAIL))
    require_recipient(event, is_party=row.party)
    # `invitation_for` refuses a cancelled session.
    require_current(event, booking_status=row.booking_status, session_status=None)
    require_known_request(delivery, requests)
    session = entry_to_join(event, entries, reader_id)
    if session is None and isinstance(event, SeatJoined) and event.user_id == reader_id:
        # No other mail brings the invitation to a person who joins before the session is there.
        raise Postpone(delivery.now + WAIT_FOR_SESSION, "The session is not there yet.")
    guest = Guest(user_id=reader_id, time_zone=row.time_zone, locale=row.locale, name=row.name, address=row.email)
    choice = Choice(user_id=reader_id, kind=row.kind, channel=Channel.EMAIL)
    unsubscribe = UnsubscribeLink(choice=choice, links_version=row.links_version)
    reader = Reader(
        user_id=reader_id,
        links_version=row.links_version,
        is_mentor=row.is_mentor,
        can_cancel=row.is_mentor or row.mentee_cancels,
        present=row.present,
    )
    return Mail(
        delivery_id=delivery.id,
        to_name=row.name,
        to_address=row.email,
        locale=row.locale,
        words=words_now(db, event, reader_id, Words(row.title, row.body), start_time=row.start_time, now=delivery.now),
        written_at=row.created_at,
        prepared_at=delivery.now,
        unsubscribe=unsubscribe if can_be_stopped(row.kind, Channel.EMAIL) else None,
        invitation=invitation_for(event, entries, guest),
        answers=row.answers if row.is_mentor and isinstance(event, _WITH_ANSWERS) else None,
        session=session,
        actions=actions_of(event, reader, now=delivery.now),
    )


def _mail_to_operators(db: Connection, delivery: Delivery) -> Mail:
    news = news_of(db, delivery.event) if isinstance(delivery.event, WebhookEndpointEvent) else None
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.")
    return Mail(
        delivery_id=delivery.id,
        to_name="Operators",
        to_address=None,
        words=news.words,
        written_at=delivery.event.occurred_at,
        prepared_at=delivery.now,
    )


def _mail_about_address(db: Connection, delivery: Delivery, event: EmailChangeRequested) -> Mail:
    row = db.execute(_EMAIL_CHANGE, {"id": event.email_change_id}).one_or_none()
    if row is None:
        raise Cancel("The time to confirm the address has passed.")
    about = {"owner": row.name, "address": row.email, "expires_at": row.expires_at, "time_zone": row.time_zone}
    if delivery.target == FORMER_ADDRESS:
        words, to_address, links = compose("email_change_notice", row.locale, **about), row.former_email, {}
    else:
        if not row.open or row.expires_at <= delivery.now:
            raise Cancel("The address can no longer be confirmed.")
        words, to_address = compose("email_change_confirm", row.locale, **about), row.email
        confirm = {"subject_id": event.email_change_id, "user_id": event.user_id, "expires_at": row.expires_at}
        links = {gettext_noop("Confirm address"): ActionLink(action=Action.CONFIRM_MAIL, links_version=None, **confirm)}
    return Mail(
        delivery_id=delivery.id,
        to_name=row.name,
        to_address=to_address,
        locale=row.locale,
        words=words,
        written_at=event.occurred_at,
        prepared_at=delivery.now,
        actions=MailActions(links=links),
    )


def prepare_notices(db: Connection, deliveries: Sequence[Delivery]) -> list[Notice | Exception]:
    """The notices, with ids and times but without names, since channels have many readers."""
    return prepare_each(
        deliveries,
        lambda each: Notice(
            delivery_id=each.id,
            channel=each.target,
            words=_words_of_notice(db, each),
            written_at=each.event.occurred_at,
            prepared_at=each.now,
        ),
    )


def _words_of_notice(db: Connection, delivery: Delivery) -> Words:
    event = delivery.event
    if not isinstance(event, WebhookEndpointEvent):
        return compose(f"notice_{event.type.replace('.', '_')}", event=event)
    news = news_of(db, event)
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.", ErrorClass.DELETED)
    return news.words


SEND_MAIL = register_outbound(
    OutboundEffect(
        name="mail.send",
        queue="notifications",
        transport="mail",
        prepare=prepare_mails,
        settle=settle_mail,
        settles=lambda _delivery, mail: bool(mail.gathered),
        apply_policy=with_mail_policy,
    )
)
SEND_NOTICE = register_outbound(
    OutboundEffect(name="channels.send", queue="notifications", transport="channels", prepare=prepare_notices)
)
