"""The lines of an import: the fields of each type, in the names of the API, and how their values are read."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import idna

from models.availability import MINUTES_OF_A_DAY
from models.catalog import (
    MAX_REMINDER_MINUTES,
    MAX_REMINDERS,
    MAX_SESSIONS_OF_A_BUNDLE,
    MAX_VALID_DAYS,
    BookingMode,
    LocationKind,
    ProductKind,
)
from models.payments import PaymentMode
from models.reviews import MAX_TEXT_CHARACTERS
from models.terms import MAX_QUESTIONS, QuestionKind, RescheduleMode
from workflows.accounts.actions import stored_skill
from workflows.availability.hours import Span, require_no_overlap
from workflows.kernel.clock import HOURS_OF_A_YEAR, MINUTES_OF_A_YEAR, NO_SUCH_YEAR, RFC_3339, YEARS, read_rfc3339, zone
from workflows.kernel.errors import Invalid
from workflows.kernel.money import CURRENCIES, MAX_AMOUNT
from workflows.kernel.records import METADATA_LIMIT_BYTES
from workflows.kernel.text import BREAKS_THE_LINE, BREAKS_THE_TEXT

MAX_EXTERNAL_ID_CHARACTERS = 200
MAX_SPANS = 100
# Unknown fields that a refusal names, and how much of each.
MAX_SHOWN_NAMES = 10
MAX_SHOWN_CHARACTERS = 50
_BREAKS_THE_TEXT = re.compile(f"[{BREAKS_THE_TEXT}]")
_BREAKS_THE_LINE = re.compile(f"[{BREAKS_THE_LINE}]")
_ADDRESS = re.compile(r"([!-~]{1,64})@([^@\s]{1,250})")
_NO_LOCAL_PART = re.compile(r'[ "\\(),:;<>@\[\]]|^\.|\.\.|\.$')
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_QUESTION_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


class Status(StrEnum):
    """Status of an imported booking."""

    ACCEPTED = "accepted"  # it lies ahead
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"  # the mentee did not come


@dataclass(frozen=True)
class Field:
    """A field of a line: how its value is read, raising ValueError with the reason, and whether it has to be there."""

    read: Callable[[Any], Any]
    required: bool = False
    nullable: bool = False
    refers_to: str | None = None  # the type that it names by an external id


@dataclass(kw_only=True)
class Line:
    """A line whose fields have been read; `values` by the API's names, without those that were left out."""

    number: int
    type: str
    external_id: str | None
    values: dict[str, Any] = field(default_factory=dict)


def text(longest: int, *, one_line: bool = False) -> Callable[[Any], str]:
    """Text of at most so many characters; one line is not blank either."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("Must be a text.")
        if len(value) > longest or (one_line and not value.strip()):
            raise ValueError(f"Must have 1 to {longest} characters." if one_line else f"At most {longest} characters.")
        if (_BREAKS_THE_LINE if one_line else _BREAKS_THE_TEXT).search(value):
            raise ValueError("Must have no control characters.")
        return value

    return read


def line(longest: int) -> Callable[[Any], str]:
    return text(longest, one_line=True)


def whole(minimum: int, maximum: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"Must be an integer from {minimum} to {maximum}.")
        return value

    return read


def choice(kind: type[StrEnum]) -> Callable[[Any], StrEnum]:
    def read(value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in {member.value for member in kind}:
            raise ValueError(f"Must be one of {', '.join(kind)}.")
        return kind(value)

    return read


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Must be true or false.")
    return value


def moment(value: Any) -> datetime:
    """A time with its zone (RFC 3339), in UTC."""
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("Must be a time with a zone, such as 2030-05-04T09:00:00Z (RFC 3339).")
    try:
        read = read_rfc3339(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time.") from None
    if read.year not in YEARS:
        raise ValueError(NO_SUCH_YEAR)
    return read


def mail_address(value: Any) -> str:
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or _NO_LOCAL_PART.search(found[1]):
        raise ValueError("Must be a mail address.")
    domain = found[2]
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("Must be a mail address.") from None
    # No domain of mail ends with a dot or a number: it would be another spelling, or an address of a network.
    if ascii_domain.endswith(".") or ascii_domain.rpartition(".")[2].isdecimal():
        raise ValueError("Must be a mail address.")
    return f"{found[1]}@{domain if domain.isascii() else ascii_domain}"


def time_zone(value: Any) -> str:
    try:
        return zone(value if isinstance(value, str) else "").key
    except Invalid:
        raise ValueError("Must be an IANA time zone such as Europe/Berlin.") from None


def locale(value: Any) -> str:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise ValueError("Must be a language tag such as en-GB.")
    return value


def money(value: Any) -> tuple[int, str]:
    """An amount in minor units, and its currency."""
    given = _object(value, "amount", "currency", all_of_them=True)
    if not isinstance(given["currency"], str) or given["currency"] not in CURRENCIES:
        raise ValueError("The currency must be an ISO 4217 code such as EUR.")
    return whole(0, MAX_AMOUNT)(given["amount"]), given["currency"]


def web_address(value: Any) -> str:
    if not _URL.fullmatch(line(2000)(value)):
        raise ValueError("Must be an address that begins with https:// or http://.")
    return str(value)


def several(read_one: Callable[[Any], Any], most: int) -> Callable[[Any], list[Any]]:
    """A list of different values."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"Must be a list of at most {most} values.")
        found = [read_one(each) for each in value]
        return [each for place, each in enumerate(found) if each not in found[:place]]

    return read


def skill(value: Any) -> str:
    return stored_skill(line(60)(value))


def own_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Must be an object.")
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > METADATA_LIMIT_BYTES:
        raise ValueError(f"Must not be larger than {METADATA_LIMIT_BYTES} bytes.")
    return value


def policy(value: Any) -> tuple[int, int]:
    """The window of a cancellation in hours, and the fee afterwards."""
    given = _object(value, "windowHours", "lateFeePercent")
    hours = whole(0, HOURS_OF_A_YEAR)(given.get("windowHours", 24))
    return hours, whole(0, 100)(given.get("lateFeePercent", 50))


def location(value: Any) -> dict[str, Any]:
    given = _object(value, "kind", "value")
    kind = choice(LocationKind)(given.get("kind"))
    shown = given.get("value")
    if shown is not None and kind is LocationKind.ONLINE:
        web_address(shown)
    return {"kind": kind.value} | ({} if shown is None else {"value": line(500)(shown)})


def reschedule(value: Any) -> dict[str, Any]:
    """The columns of how parties move a session; names that are left out stay as they are."""
    given = _object(value, "mode", "windowHours", "maxTimes")
    columns = {
        "mode": ("reschedule_mode", choice(RescheduleMode)),
        "windowHours": ("reschedule_window_hours", whole(0, HOURS_OF_A_YEAR)),
        "maxTimes": ("reschedule_max_times", whole(0, 100)),
    }
    return {column: read(given[name]) for name, (column, read) in columns.items() if name in given}


def questions(value: Any) -> list[dict[str, Any]]:
    """Questions to those who book, as their column holds them."""
    asked = several(_question, MAX_QUESTIONS)(value)
    if len({each["id"] for each in asked}) < len(asked):
        raise ValueError("Must not repeat an id.")
    return asked


def _question(value: Any) -> dict[str, Any]:
    given = _object(value, "id", "label", "kind", "choices", "required")
    if not isinstance(given.get("id"), str) or not _QUESTION_ID.fullmatch(given["id"]):
        raise ValueError("An id has 1 to 40 letters, digits, _ and -.")
    kind, choices = choice(QuestionKind)(given.get("kind")), given.get("choices")
    if (choices is None) == (kind is QuestionKind.CHOICE):
        raise ValueError("Choices belong to a question of the kind choice, and to no other.")
    read = {
        "id": given["id"],
        "label": line(200)(given.get("label")),
        "kind": kind.value,
        "required": flag(given.get("required", False)),
    }
    if choices is None:
        return read
    different = several(line(100), 20)(choices)
    if not different or len(different) < len(choices):
        raise ValueError("Must have 1 to 20 different choices.")
    return {**read, "choices": different}


def weekly_hours(value: Any) -> tuple[Span, ...]:
    spans = tuple(sorted(several(_span, MAX_SPANS)(value)))
    try:
        require_no_overlap(spans)
    except Invalid as overlap:
        raise ValueError(overlap.message) from None
    return spans


def _span(value: Any) -> Span:
    given = _object(value, "weekday", "startTime", "endTime", all_of_them=True)
    opens, closes = _minutes(given["startTime"]), _minutes(given["endTime"], end=True)
    if closes <= opens:
        raise ValueError("Hours must end after they begin; split hours over midnight into two.")
    return Span(whole(0, 6)(given["weekday"]), opens, closes)


def _minutes(value: Any, *, end: bool = False) -> int:
    if end and value == "24:00":
        return MINUTES_OF_A_DAY
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("Must be a time such as 09:30.")
    return int(found[1]) * 60 + int(found[2])


def _object(value: Any, *names: str, all_of_them: bool = False) -> dict[str, Any]:
    wanted = ", ".join(names)
    if not isinstance(value, dict) or set(value) - set(names) or (all_of_them and set(names) - set(value)):
        raise ValueError(f"Must be an object with {wanted}.")
    return value


def _shown(name: str) -> str:
    # As JSON writes it: on one line, and nothing that a terminal would obey.
    shown = json.dumps(name)[1:-1]
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"


external_id = line(MAX_EXTERNAL_ID_CHARACTERS)


def _reference(refers_to: str, *, required: bool = True, nullable: bool = False) -> Field:
    return Field(external_id, required, nullable, refers_to)


_OWN: Mapping[str, Field] = {"metadata": Field(own_object, nullable=True)}
# In the order in which they are carried out: what a type names comes before it.
TYPES: Mapping[str, Mapping[str, Field]] = {
    "user": {
        "email": Field(mail_address, required=True),
        "name": Field(line(200), required=True),
        "timeZone": Field(time_zone),
        "locale": Field(locale),
        **_OWN,
    },
    "course": {
        "title": Field(line(200), required=True),
        "description": Field(text(5000), nullable=True),
        "active": Field(flag),
        **_OWN,
    },
    "mentor": {
        "user": _reference("user"),
        "headline": Field(line(200), required=True),
        "bio": Field(text(5000), nullable=True),
        "timeZone": Field(time_zone),
        "skills": Field(several(skill, 50)),
        "languages": Field(several(locale, 20)),
        "avatarUrl": Field(web_address, nullable=True),
        "active": Field(flag),
        **_OWN,
    },
    "product": {
        "course": _reference("course"),
        "kind": Field(choice(ProductKind), required=True),
        "title": Field(line(200), required=True),
        "price": Field(money, required=True),
        "sessionCount": Field(whole(1, MAX_SESSIONS_OF_A_BUNDLE)),
        "durationMinutes": Field(whole(5, 1440), nullable=True),
        "validDays": Field(whole(1, MAX_VALID_DAYS), nullable=True),
        "payment": Field(choice(PaymentMode)),
        "active": Field(flag),
        **_OWN,
    },
    "listing": {
        "mentor": _reference("mentor"),
        "course": _reference("course", required=False, nullable=True),
        "title": Field(line(200), required=True),
        "durationMinutes": Field(whole(5, 1440), required=True),
        "price": Field(money, required=True),
        "description": Field(text(5000), nullable=True),
        "bookingMode": Field(choice(BookingMode)),
        "minNoticeMinutes": Field(whole(0, MINUTES_OF_A_YEAR)),
        "bufferBeforeMinutes": Field(whole(0, 1440)),
        "bufferMinutes": Field(whole(0, 1440)),
        "earlyStartMinutes": Field(whole(0, MINUTES_OF_A_YEAR), nullable=True),
        "reminderMinutes": Field(several(whole(1, MAX_REMINDER_MINUTES), MAX_REMINDERS), nullable=True),
        "cancellation": Field(policy, nullable=True),
        "noShowFeePercent": Field(whole(0, 100)),
        "location": Field(location, nullable=True),
        "payment": Field(choice(PaymentMode)),
        "reschedule": Field(reschedule),
        "questions": Field(questions),
        "active": Field(flag),
        **_OWN,
    },
    "hours": {
        "mentor": _reference("mentor"),
        "timeZone": Field(time_zone, required=True),
        "hours": Field(weekly_hours, required=True),
    },
    "booking": {
        "listing": _reference("listing"),
        "mentee": _reference("user"),
        "startTime": Field(moment, required=True),
        "status": Field(choice(Status), required=True),
        "price": Field(money),
        "createdAt": Field(moment),
        "title": Field(line(200), nullable=True),
        **_OWN,
    },
    "bundle": {
        "product": _reference("product"),
        "mentee": _reference("user"),
        "remainingSessions": Field(whole(0, MAX_SESSIONS_OF_A_BUNDLE), required=True),
        "validTo": Field(moment, nullable=True),
        **_OWN,
    },
    "review": {
        "booking": _reference("booking"),
        "rating": Field(whole(1, 5), required=True),
        "comment": Field(text(MAX_TEXT_CHARACTERS), nullable=True),
        "createdAt": Field(moment, required=True),
    },
}
# Whose rows keep no external id: the mentor or the booking tells which one is meant.
WITHOUT_EXTERNAL_ID = ("hours", "review")


def read_line(number: int, given: Mapping[str, Any]) -> Line:
    """The line of an object whose `type` is one of TYPES.

    Raises:
        Invalid: a field is missing, unknown, or has a value that does not fit; the message names each.
    """
    kind = given["type"]
    fields = TYPES[kind]
    unknown = sorted(given.keys() - fields.keys() - {"type", "externalId"})
    reasons = [f"{_shown(name)}: Unknown field." for name in unknown[:MAX_SHOWN_NAMES]]
    values: dict[str, Any] = {}
    for name, described in fields.items():
        value = given.get(name)
        if value is None and (name not in given or described.nullable):
            if described.required:
                reasons.append(f"{name}: Missing.")
            elif name in given:
                values[name] = None
            continue
        try:
            values[name] = described.read(value)
        except ValueError as reason:
            reasons.append(f"{name}: {reason}")
    named = given.get("externalId")
    try:
        if named is not None or kind not in WITHOUT_EXTERNAL_ID:
            external_id(named)
    except ValueError as reason:
        reasons.append(f"externalId: {reason}")
    if reasons:
        raise Invalid(" ".join(reasons))
    return Line(number=number, type=kind, external_id=named, values=values)
