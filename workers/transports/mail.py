"""Mail: over SMTP, or into a folder where development looks at it."""

from __future__ import annotations

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from workers.transports.deadline import deadline
from workflows.calendar.invitation import Invitation
from workflows.events.outcomes import Sent
from workflows.outside.send_mail import Mail

REPLY_SECONDS = 10.0
DEADLINE_SECONDS = 30.0
SCHEMES = ("smtp", "smtps")


@dataclass(frozen=True)
class Letterhead:
    """Whom mails come from, and where the operators read theirs: addresses, with names if there are any."""

    sender: str
    operators: str


class MailTransport(Protocol):
    """Takes a mail to wherever mails go here."""

    def send(self, mail: Mail) -> Sent: ...


class SmtpTransport:
    """One connection per mail.

    Args:
        url: `smtp://[user:password@]host[:port]`, with STARTTLS where the server offers it, or `smtps://…`.
        letterhead: whom mails come from, and where the operators read theirs.
    """

    def __init__(self, url: str, letterhead: Letterhead) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in SCHEMES or not self._url.hostname:
            raise ValueError("SMTP_URL must read smtp://host:port or smtps://host:port.")
        self._letterhead = letterhead
        self._tls = ssl.create_default_context()

    def send(self, mail: Mail) -> Sent:
        """Hand the mail to the server; a 5xx answer is final, anything else may pass."""
        met: list[smtplib.SMTP] = []
        try:
            with deadline(DEADLINE_SECONDS, lambda: met[0].sock if met else None), self._connect(met) as server:
                self._log_in(server)
                server.send_message(compose(mail, self._letterhead))
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            return _refused(code, text)
        except smtplib.SMTPResponseException as refused:
            return _refused(refused.smtp_code, refused.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            return Sent(error=f"{type(error).__name__}: {error}")
        return Sent(status_code=250)

    def _connect(self, met: list[smtplib.SMTP]) -> smtplib.SMTP:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "smtps":
            return _SmtpOverTls(met, host, port or 465, timeout=REPLY_SECONDS, context=self._tls)
        return _Smtp(met, host, port or 25, timeout=REPLY_SECONDS)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if self._url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=self._tls)
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))


class _Smtp(smtplib.SMTP):
    """Shows itself before it connects, so that a deadline can cut off even a greeting that never ends."""

    def __init__(self, met: list[smtplib.SMTP], *args: Any, **kwargs: Any) -> None:
        met.append(self)
        super().__init__(*args, **kwargs)


class _SmtpOverTls(_Smtp, smtplib.SMTP_SSL):
    """The same, over TLS from the first byte."""


class FolderTransport:
    """Keeps each mail as a file, once: the development sink.

    Args:
        folder: where the files go, named by their deliveries.
        letterhead: whom mails come from, and where the operators read theirs.
    """

    def __init__(self, folder: str, letterhead: Letterhead) -> None:
        self._folder = Path(folder)
        self._letterhead = letterhead

    def send(self, mail: Mail) -> Sent:
        """Write `<delivery id>.eml`, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{mail.delivery_id}.eml"
        draft = file.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(bytes(compose(mail, self._letterhead)))
        draft.replace(file)
        return Sent()


def compose(mail: Mail, letterhead: Letterhead) -> EmailMessage:
    """The mail as it goes out: plain and HTML, under a Message-ID that every attempt shares."""
    name, address = parseaddr(letterhead.sender)
    message = EmailMessage()
    message["From"] = Address(name, addr_spec=address)
    to_address = mail.to_address or parseaddr(letterhead.operators)[1]
    message["To"] = Address(_one_line(mail.to_name), addr_spec=to_address)
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = format_datetime(mail.occurred_at)
    message["Message-ID"] = f"<{mail.delivery_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    if mail.invitation:
        _invite(message, mail.invitation, name, address)
    return message


def _invite(message: EmailMessage, invitation: Invitation, sender: str, address: str) -> None:
    """Put the invitation where every program looks for it (RFC 6047): as an alternative, and as a file."""
    calendar = invitation.written(organizer=sender or address, address=address)
    # As bytes in base64: every line ends as RFC 5545 has it, whatever servers do to the lines of a text.
    message.add_alternative(
        calendar,
        maintype="text",
        subtype="calendar",
        cte="base64",
        params={"method": invitation.method, "charset": "UTF-8"},
    )
    message.add_attachment(calendar, maintype="application", subtype="ics", filename="invite.ics")


def _one_line(value: str) -> str:
    """A header is one line, whatever somebody called themselves."""
    # An encoded word would be decoded on its way into the header, and some Pythons then write its line ends as such.
    return " ".join(value.split()).replace("=?", "= ?")


def _refused(code: int, text: bytes | str) -> Sent:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Sent(error=f"The mail server answered {code}: {said}", permanent=500 <= code < 600, status_code=code)
