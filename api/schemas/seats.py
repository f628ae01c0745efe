"""Seats of group sessions, what it costs to leave one, and places in a waiting list."""

from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import CREDIT_VALID_TO, OPTIONAL, Id, Moment, Money, Text
from api.schemas.groups import GroupSession
from api.schemas.sessions import AgreedPolicy, quoted
from api.schemas.terms import AnsweringBody
from workflows.groups.place import Place
from workflows.groups.records import SeenGroup
from workflows.terms.cancellation import Quote


class TakenOffer(AnsweringBody):
    bundle_purchase_id = Id(
        **OPTIONAL, metadata={"description": "The bundle whose session pays; left out, the group's price is paid."}
    )


class Joining(TakenOffer):
    student_id = Id(**OPTIONAL, metadata={"description": "The person, for operators; else the caller."})


class Leaving(RequestSchema):
    reason = Text(1000, **OPTIONAL, metadata={"description": "For the mentor."})
    student_id = Id(**OPTIONAL, metadata={"description": "The person, for operators; else the caller."})


class SeatCancelled(ResponseSchema):
    late = fields.Boolean(metadata={"description": "Whether the seat was left inside the policy's window."})
    fee = fields.Nested(Money)
    refund = fields.Nested(Money)
    credit_returned = fields.Boolean(
        allow_none=True, metadata={"description": "Whether the session of the bundle came back; null if none paid."}
    )
    credit_valid_to = CREDIT_VALID_TO
    policy = fields.Nested(
        AgreedPolicy, allow_none=True, metadata={"description": "Null: participants cannot leave by themselves."}
    )


class LeftGroupSession(GroupSession):
    cancellation = fields.Nested(SeatCancelled)


class SeatOffer(ResponseSchema):
    expires_at = Moment()


class WaitlistEntry(ResponseSchema):
    position = fields.Integer(metadata={"description": "1 is next."})
    offer = fields.Nested(SeatOffer, allow_none=True, metadata={"description": "Null while there is no free seat."})


@dataclass(frozen=True, kw_only=True)
class LeftGroup(SeenGroup):
    """A group as the person sees it who has left it, with what that cost."""

    cancellation: dict[str, Any]


_ENTRY = WaitlistEntry()
_CANCELLED = SeatCancelled()


def shown_cancellation(cost: Quote) -> dict[str, Any]:
    shown: dict[str, Any] = _CANCELLED.dump(quoted(cost))
    return shown


def shown_entry(place: Place) -> dict[str, Any]:
    offer = None if place.offered_until is None else {"expires_at": place.offered_until}
    shown: dict[str, Any] = _ENTRY.dump({"position": place.position, "offer": offer})
    return shown
