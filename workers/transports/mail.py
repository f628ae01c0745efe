"""Mail as it goes out, and the folder where development looks at it; SMTP is in a file of its own."""

from __future__ import annotations

import os
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any

from workers.transports.letterhead import Letterhead
from workers.transports.transport import Renew, Transport, no_lease
from workflows.calendar.invitation import Invitation
from workflows.events.delivery import SendResult
from workflows.notifications.compose import Footer, as_html, as_text
from workflows.notifications.kinds import KINDS
from workflows.outside.send_mail import Mail
from workflows.text import one_line

# The same in every mail, but for one part of it or another: read and written once.
CONSTANT = {
    "from",
    "auto-submitted",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
}
LINKS = {"list-unsubscribe"}
# RFC 5321, section 4.5.2: a line that begins with a dot is not the end.
_DOT_AT_START = re.compile(rb"(?m)^\.")


class _MailPolicy(EmailPolicy):
    """Leaves headers alone that hold a URL: folded, it would become encoded words, which no mail program opens."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """The header as the message holds it."""
        return _parsed(name, value) if name.lower() in CONSTANT else super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        """One line, however long; RFC 5322 has room for 998 characters."""
        if name.lower() in LINKS:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_PARSING = EmailPolicy()
_POLICY = _MailPolicy()
_ON_THE_WIRE = _MailPolicy(linesep="\r\n")


@lru_cache(256)
def _parsed(name: str, value: Any) -> tuple[str, Any]:
    return _PARSING.header_store_parse(name, value)


class FolderTransport(Transport[Mail]):
    """Keeps each mail as a file, once: the development sink.

    Args:
        folder: where the files go, named by their deliveries.
        letterhead: whom mails come from, and where the operators read theirs.
    """

    def __init__(self, folder: str, letterhead: Letterhead) -> None:
        self._folder = Path(folder)
        self._letterhead = letterhead

    def send(self, mail: Mail, _renew: Renew = no_lease) -> SendResult:
        """Write `<delivery id>.eml`, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{mail.delivery_id}.eml"
        draft = file.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(bytes(compose(mail, self._letterhead)))
        draft.replace(file)
        return SendResult()


def as_sent(mail: Mail, letterhead: Letterhead) -> tuple[str, str, bytes, bool]:
    """The mail as SMTP hands it over.

    Returns:
        From which address to which, the content with its final dot, and whether an address goes beyond ASCII.
    """
    message = compose(mail, letterhead)
    sender, to = parseaddr(letterhead.sender)[1], mail.to_address or parseaddr(letterhead.operators)[1]
    international = not (sender + to).isascii()
    content = message.as_bytes(policy=_ON_THE_WIRE.clone(utf8=True) if international else _ON_THE_WIRE)
    return sender, to, _DOT_AT_START.sub(b"..", content) + b".\r\n", international


def compose(mail: Mail, letterhead: Letterhead) -> EmailMessage:
    """The mail as it goes out: plain and HTML, under a Message-ID that every attempt shares."""
    name, address = parseaddr(letterhead.sender)
    footer = _footer(mail, letterhead)
    message = EmailMessage(_POLICY)
    message["From"] = str(Address(name, addr_spec=address))
    to_address = mail.to_address or parseaddr(letterhead.operators)[1]
    message["To"] = Address(_header(mail.to_name), addr_spec=to_address)
    message["Subject"] = _header(mail.subject)
    message["Date"] = format_datetime(mail.written_at)
    message["Message-ID"] = f"<{mail.delivery_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if footer:
        # RFC 8058: one click in the reader's mail program, and nobody has to sign in.
        message["List-Unsubscribe"] = f"<{footer.link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(as_text(mail.words, footer))
    # Of its own, so that every attempt sends the same bytes.
    message.make_alternative(f"={mail.delivery_id.hex}=")
    message.add_alternative(as_html(mail.words, footer), subtype="html")
    if mail.invitation:
        _invite(message, mail.invitation, name, address)
    return message


def _footer(mail: Mail, letterhead: Letterhead) -> Footer | None:
    if mail.choice is None or letterhead.links is None:
        return None
    return Footer(KINDS[mail.choice.kind].sentence, letterhead.links.unsubscribe(mail.choice))


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


def _header(value: str) -> str:
    """A header is one line, whatever somebody called themselves."""
    # An encoded word would be decoded on its way into the header, and some Pythons then write its line ends as such.
    return one_line(value).replace("=?", "= ?")
