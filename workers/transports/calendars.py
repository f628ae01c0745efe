"""Transport that reads mentors' outside calendars: fetched by the pinned HTTP client, and expanded apart."""

import hashlib
import re
from collections.abc import Callable
from http.client import HTTPException

import structlog

from config.sealing import Sealer
from infrastructure.http_client import HttpClient, HttpLimits, HttpResponse, describe, log_detail, parse_retry_after
from infrastructure.network import ResponseTooLong
from models.events import ErrorClass
from workers.calendar_expansion import expand_apart
from workers.transports import Renew, Transport, no_lease
from workflows.availability.feed_reading import CalendarCopy, FeedRequest
from workflows.availability.intervals import CalendarRefused, Occurrences
from workflows.events.delivery import SendResult
from workflows.kernel.errors import Invalid

log = structlog.get_logger(__name__)

MAX_CALENDAR_BYTES = 10 * 1024 * 1024
LIMITS = HttpLimits(response_bytes=MAX_CALENDAR_BYTES)
# When the answer was made: it differs each time, though nothing has changed.
_STAMP = re.compile(rb"^DTSTAMP[;:][^\r\n]*\r?\n", re.MULTILINE | re.IGNORECASE)
# Of headers that come back to us; longer ones are left.
MAX_VALIDATOR_CHARACTERS = 500


class CalendarTransport(Transport[FeedRequest]):
    """Reads calendars.

    Args:
        sealer: unseals their addresses.
        client: for addresses chosen by users, with the limits above.
        expand: finds the busy times of a calendar.
    """

    def __init__(self, sealer: Sealer, client: HttpClient, expand: Callable[..., Occurrences] = expand_apart) -> None:
        self._sealer = sealer
        self._client = client
        self._expand = expand

    def send(self, message: FeedRequest, _renew: Renew = no_lease) -> SendResult:
        """Read the calendar; new busy times are the `content` of the result, without which the last copy is valid.

        Raises:
            UnsealError: the address was sealed with a key that is gone.
        """
        url = self._sealer.unseal(message.sealed_url)
        try:
            return self._result(message, self._client.get(url, _headers(message)))
        except CalendarRefused as refused:
            return self._failed(message, ErrorClass.PROTOCOL, str(refused), str(refused))
        except ResponseTooLong:
            sentence = f"The calendar is larger than {MAX_CALENDAR_BYTES // 1024 // 1024} MB."
            return self._failed(message, ErrorClass.PROTOCOL, sentence, sentence)
        except (OSError, HTTPException, Invalid) as error:
            return self._failed(message, *describe(error), log_detail(error))

    def close(self) -> None:
        self._client.close()

    def _result(self, request: FeedRequest, response: HttpResponse) -> SendResult:
        status = response.status
        if status == 304 and request.content_digest is not None:
            return SendResult(status_code=status)
        if status != 200:
            return SendResult(
                error=f"The server answered {status}.",
                error_class=ErrorClass.STATUS,
                status_code=status,
                retry_after=parse_retry_after(status, response.retry_after, now=request.prepared_at),
            )
        if response.headers.get("content-encoding", "identity") != "identity":
            raise CalendarRefused("The answer is compressed, although that was not asked for.")
        digest = hashlib.sha256(_STAMP.sub(b"", response.body)).digest()
        if digest == request.content_digest:
            return SendResult(status_code=status)
        window = request.window
        found = self._expand(response.body, window.start, window.end, window.time_zone, request.email)
        copy = CalendarCopy(
            busy=found.busy,
            named=found.named,
            etag=_validator(response, "etag"),
            last_modified=_validator(response, "last-modified"),
            content_digest=digest,
        )
        return SendResult(status_code=status, content=copy)

    def _failed(self, request: FeedRequest, error_class: ErrorClass, sentence: str, detail: str) -> SendResult:
        # Only the host of the address: its path is a secret.
        log.warning("calendar.not_read", calendar_feed_id=request.feed_id, origin=request.origin, detail=detail)
        return SendResult(error=sentence, error_class=error_class)


def _headers(request: FeedRequest) -> dict[str, str]:
    asked = {"if-none-match": request.etag, "if-modified-since": request.last_modified}
    return {
        "accept": "text/calendar, */*;q=0.5",
        "accept-encoding": "identity",
        "user-agent": "Tutelage",
        **{name: value for name, value in asked.items() if value is not None},
    }


def _validator(response: HttpResponse, name: str) -> str | None:
    """The value of a header, if it can be sent back and stored."""
    value = response.headers.get(name)
    usable = value is not None and len(value) <= MAX_VALIDATOR_CHARACTERS and value.isascii() and value.isprintable()
    return value if usable else None
