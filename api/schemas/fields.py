"""Field types of bodies and queries, each as strict as the column that stores it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from email.errors import MessageError
from email.headerregistry import Address
from enum import Enum
from typing import Any
from uuid import UUID

import idna
import marshmallow as ma
from marshmallow import ValidationError, fields, validate
from webargs.fields import DelimitedList

from api.authentication.authenticator import identifier
from config.sealing import seal_text, shown_text
from workflows.kernel.clock import NO_SUCH_YEAR, RFC_3339, YEARS, read_rfc3339, rfc3339, zone
from workflows.kernel.errors import Invalid
from workflows.kernel.money import CURRENCIES, MAX_AMOUNT
from workflows.kernel.records import METADATA_LIMIT_BYTES
from workflows.kernel.text import BREAKS_THE_LINE, BREAKS_THE_TEXT

_WALL_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BREAKS_THE_LINE = re.compile(f"[{BREAKS_THE_LINE}]")
_BREAKS_THE_TEXT = re.compile(f"[{BREAKS_THE_TEXT}]")
MAIL_ADDRESS_LIMIT = 254  # characters, RFC 5321 with erratum 1690
LOCAL_PART_LIMIT = 64  # RFC 5321, 4.5.3.1.1

# Of a field that may be left out of a body, which means the same as null.
OPTIONAL: dict[str, Any] = {"load_default": None, "allow_none": True}


class Choice(fields.Enum[Any]):
    """A member of an enum, by its value."""

    def __init__(self, enum: type[Enum], **kwargs: Any) -> None:
        super().__init__(enum, by_value=True, **kwargs)


class Choices(DelimitedList):
    """One member of an enum or several, separated by commas: a member, or a tuple in the order of the enum."""

    def __init__(self, enum: type[Enum], **kwargs: Any) -> None:
        super().__init__(Choice(enum), **kwargs)
        self._members = tuple(enum)

    def _deserialize(self, *arguments: Any, **named: Any) -> Any:
        try:
            chosen = super()._deserialize(*arguments, **named)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            # The messages of the values, by their places: the field alone is named to the caller.
            raise ValidationError([each for of_one in error.messages_dict.values() for each in of_one]) from error
        ordered = tuple(member for member in self._members if member in chosen)
        if not ordered:
            raise ValidationError("Must name at least one.")
        return ordered[0] if len(ordered) == 1 else ordered


class Text(fields.String):
    """Text of any number of lines, stored as given.

    Args:
        longest: in characters.
        shortest: from 1 on, white space alone is refused.
    """

    refused = BREAKS_THE_TEXT

    def __init__(
        self, longest: int, *, shortest: int = 0, metadata: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        # As a document has it, in the regular expressions of ECMA-262, where `\x` and `\u` are as in Python's.
        self.pattern = (
            f"^[^{self.refused}]*$" if not shortest else f"^[^{self.refused}]*[^{self.refused}\\s][^{self.refused}]*$"
        )
        super().__init__(
            validate=validate.Length(min=shortest or None, max=longest),
            metadata={"pattern": self.pattern, **(metadata or {})},
            **kwargs,
        )
        self._must_say = shortest > 0

    @property
    def pattern_name(self) -> str:
        """The name of its pattern in the document."""
        lines = "Lines" if self.refused == BREAKS_THE_TEXT else "Line"
        return f"Filled{lines}" if self._must_say else lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if _BREAKS_THE_TEXT.search(text):
            raise ValidationError("Must have no control characters but line breaks and tabs.")
        if self._must_say and text and not text.strip():
            raise ValidationError("Must not be blank.")
        return text


class OneLine(Text):
    """Text of one line without control characters, safe in a sentence or a mail's subject."""

    refused = BREAKS_THE_LINE

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if _BREAKS_THE_LINE.search(text):
            raise ValidationError("Must be one line, without control characters.")
        return text


class Line(OneLine):
    """One line that is neither empty nor only white space."""

    def __init__(self, longest: int, **kwargs: Any) -> None:
        super().__init__(longest, shortest=1, **kwargs)


class SealedText(Text):
    """Text that only its readers see: it is stored encrypted, and what follows below the API never sees it as plain."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The text encrypted, once it has been validated as it was written."""
        given = super().deserialize(value, attr, data, **kwargs)
        return seal_text(given) if isinstance(given, str) else given


class SealedLine(Line, SealedText):
    """One line that is stored encrypted."""


class ShownText(fields.String):
    """Text that is stored encrypted, as its readers see it."""

    write = staticmethod(shown_text)

    def _serialize(self, value: str | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else shown_text(value)


class SearchText(OneLine):
    """Words to search for. `where`: what is searched, for the documentation."""

    def __init__(self, where: str) -> None:
        described = f"Words in {where}, all of them, each from its beginning on; case and accents do not matter."
        super().__init__(200, metadata={"description": described, "example": "linear alg"})


class OfPeople(OneLine):
    """What the name or the mail address of a party begins with."""

    def __init__(self) -> None:
        described = "For staff: only those with a party whose name or mail address begins with this, in any case."
        super().__init__(200, shortest=2, metadata={"description": described, "example": "ada"})


class Id(fields.UUID):
    """A UUID in its canonical form of 36 characters."""

    write = staticmethod(str)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:  # noqa: ARG002
        found = value if isinstance(value, UUID) else identifier(value)
        if found is None:
            raise self.make_error("invalid_uuid")
        return found


class Moment(fields.DateTime):
    """A time with its zone (RFC 3339), read in any zone and answered in UTC with a Z."""

    default_error_messages = {  # noqa: RUF012
        "form": "Must be a time with a zone, such as 2030-05-04T09:00:00Z (RFC 3339); in a query, write + as %2B."
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002
        if not isinstance(value, str) or not RFC_3339.fullmatch(value):
            raise self.make_error("form")
        try:
            moment = read_rfc3339(value)
        except ValueError as error:
            raise ValidationError("There is no such time.") from error
        if moment.year not in YEARS:
            raise ValidationError(NO_SUCH_YEAR)
        return moment.astimezone(UTC)

    @staticmethod
    def write(value: datetime) -> str:
        return rfc3339(value)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else self.write(value)


CREDIT_VALID_TO = Moment(
    allow_none=True,
    metadata={
        "description": "The end of the bundle with the credit that returns; in the past, it cannot be spent. Null if"
        " the bundle has no end, or no credit returns."
    },
)


class MomentOrWallClock(Moment):
    """A time as `Moment` reads it, or one without zone (`2030-05-04T09:00`): then naive, to be read in a time zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _WALL_CLOCK.fullmatch(value):
            return super()._deserialize(value, attr, data, **kwargs)
        seconds = "" if value.count(":") == 2 else ":00"
        return super()._deserialize(f"{value}{seconds}Z", attr, data, **kwargs).replace(tzinfo=None)


class Day(fields.Date):
    """A date without a time, `YYYY-MM-DD`."""

    write = staticmethod(date.isoformat)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:  # noqa: ARG002
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValidationError("Must be a date such as 2030-05-04.")
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("There is no such date.") from error
        if day.year not in YEARS:
            raise ValidationError(NO_SUCH_YEAR)
        return day


class Whole(fields.Integer):
    """An integer within bounds: no text, no fraction, no boolean."""

    def __init__(self, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=minimum, max=maximum), **kwargs)


class QueryWhole(fields.Integer):
    """An integer within bounds as a query has it: digits."""

    def __init__(self, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=minimum, max=maximum), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,16}", value):
            raise self.make_error("invalid")
        number: int = super()._deserialize(value, attr, data, **kwargs)
        return number


class QueryFlag(fields.Boolean):
    """A boolean as a query has it: `true` or `false`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class TrueOrFalse(fields.Boolean):
    """A JSON boolean; no number or string is accepted."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        truth: bool = super()._deserialize(value, attr, data, **kwargs)
        return truth


class TimeZone(Text):
    """The name of an IANA time zone."""

    def __init__(self, **kwargs: Any) -> None:
        named = {} if {"allow_none", "load_default"} & kwargs.keys() else {"component": "TimeZone"}
        super().__init__(64, shortest=1, metadata={"example": "Europe/Berlin", **named}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name: str = super()._deserialize(value, attr, data, **kwargs)
        try:
            return zone(name).key
        except Invalid as error:
            raise ValidationError("Must be an IANA time zone such as Europe/Berlin.") from error


class Metadata(fields.Dict):
    """The client's own object, of at most 16 kB."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        if len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()) > METADATA_LIMIT_BYTES:
            raise ValidationError(f"Must not be larger than {METADATA_LIMIT_BYTES} bytes.")
        return found


def _currency(code: str) -> None:
    if code not in CURRENCIES:
        raise ValidationError("Must be an active ISO 4217 code such as EUR.")


class Currency(fields.String):
    """An active code of ISO 4217."""

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(validate=_currency, metadata={"pattern": "^[A-Z]{3}$", **(metadata or {})}, **kwargs)


class Money(ma.Schema):
    """An amount in minor units, with its ISO 4217 code."""

    amount = Whole(0, MAX_AMOUNT, required=True, metadata={"example": 4000})
    currency = Currency(required=True, metadata={"example": "USD", "description": "An active code of ISO 4217."})


class Price(fields.Nested):
    """A record's `price_amount` and `price_currency` as money."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Money, unknown=ma.RAISE, **kwargs)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002
        return {"amount": obj.price_amount, "currency": obj.price_currency}


class AsRead(fields.Nested):
    """An object that the database has made in the schema's own names."""

    def __init__(self, schema: type[ma.Schema], **kwargs: Any) -> None:
        super().__init__(schema, allow_none=True, dump_default=None, **kwargs)

    @staticmethod
    def write(value: Any) -> Any:
        return value


class MailAddress(fields.Email):
    """`local@domain` with a plain local part; a domain in other letters than ASCII is kept as its A-labels (RFC 5890).

    Quoted local parts are refused: `"ada"@example.org` is another spelling of `ada@example.org`, and RFC 5321
    (4.1.2) discourages them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(max=MAIL_ADDRESS_LIMIT), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        given: str = super()._deserialize(value, attr, data, **kwargs)
        local, _, domain = given.rpartition("@")
        if not _plain(local) or not given.isprintable():
            raise self.make_error("invalid")
        address = f"{local}@{_in_ascii(domain)}"
        try:
            Address(addr_spec=address)
        except (MessageError, ValueError) as error:
            raise self.make_error("invalid") from error
        return address


def _plain(local: str) -> bool:
    return local.isascii() and len(local) <= LOCAL_PART_LIMIT and not set(local) & set(' "\\(),:;<>@[]')


def _in_ascii(domain: str) -> str:
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValidationError("Not a valid mail domain.") from error
    # UTS #46 would also change the case of an ASCII domain.
    return domain if domain.isascii() else ascii_domain
