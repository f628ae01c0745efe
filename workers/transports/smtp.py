"""Mail over SMTP: over kept connections, within a deadline, and reported in the server's own words."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import replace

from config.mail_server import mail_server
from models.events import ErrorClass
from workers.transports.deadline import DeadlineExceeded, deadline
from workers.transports.letterhead import Letterhead
from workers.transports.mail import compose
from workers.transports.smtp_lines import Line, Lines
from workflows.events.outcomes import Sent
from workflows.outside.send_mail import Mail

# Until the server has the mail, whatever it says meanwhile; then it is given more.
DEADLINE_SECONDS = 30.0
CLOSING = 421
# Whatever they answer: not to us, or not now. That says nothing of the mail.
SERVER_WIDE = frozenset({CLOSING, 530, 535, 538})


class SmtpTransport:
    """Sends mails, from as many threads as there are.

    Args:
        url: an SMTP_URL; see `config.mail_server`.
        letterhead: what all mails share.

    Raises:
        ValueError: the URL names no mail server.
    """

    def __init__(self, url: str, letterhead: Letterhead) -> None:
        self._letterhead = letterhead
        # Certificates and their names are verified by default; no setting changes that.
        self._lines = Lines(mail_server(url), ssl.create_default_context())

    def send(self, mail: Mail) -> Sent:
        """Hand the mail to the server; where it refuses this mail by a 5xx answer that is final, all else may pass.

        Whatever goes wrong before the server listens to the mail is told as `away`; a line that breaks off later may
        do so because of the mail.
        """
        message = compose(mail, self._letterhead)
        used: list[smtplib.SMTP] = []
        line: Line | None = None
        try:
            with deadline(DEADLINE_SECONDS, lambda: getattr(used[-1], "line", None) if used else None) as watched:
                line = self._lines.take(used.append)
                line.mails += 1
                line.server.handed_over = watched.begin_again
                line.server.send_message(message)
        except smtplib.SMTPException as error:
            sent = self._refused(error, line)
            return sent if line is not None else _away(sent)
        except OSError as error:
            self._drop(used)
            return Sent(error=f"{type(error).__name__}: {error}", error_class=_class_of(error), away=line is None)
        self._lines.give(line)
        return Sent(status_code=250)

    def close(self) -> None:
        """Let go of the connections that wait for a next mail."""
        self._lines.close()

    def _refused(self, error: smtplib.SMTPException, line: Line | None) -> Sent:
        code: int
        text: bytes | str
        match error:
            case smtplib.SMTPRecipientsRefused():
                code, text = next(iter(error.recipients.values()))
            case smtplib.SMTPResponseException():
                code, text = error.smtp_code, error.smtp_error
            case _:
                if line is not None:
                    line.server.close()
                return Sent(error=f"{type(error).__name__}: {error}", error_class=ErrorClass.PROTOCOL)
        if line is not None:
            # A refusal is no reason to part, unless the server says so itself.
            self._lines.give(line) if code != CLOSING else line.leave()
        return _answered(code, text)

    def _drop(self, used: list[smtplib.SMTP]) -> None:
        for server in used:
            with suppress(OSError):
                server.close()


def _answered(code: int, text: bytes | str) -> Sent:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Sent(
        error=f"The mail server answered {code}: {said}",
        error_class=ErrorClass.STATUS,
        permanent=500 <= code < 600 and code not in SERVER_WIDE,
        # -1 is what smtplib makes of nonsense.
        status_code=code if code > 0 else None,
        away=code in SERVER_WIDE,
    )


def _away(sent: Sent) -> Sent:
    return replace(sent, permanent=False, away=True)


def _class_of(error: OSError) -> ErrorClass:
    match error:
        case DeadlineExceeded() | TimeoutError():
            return ErrorClass.TIMEOUT
        case ssl.SSLError():
            return ErrorClass.TLS
        case _:
            return ErrorClass.CONNECT
