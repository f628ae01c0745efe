"""A mentor with a listing and a mentee, registered over HTTP in a running system."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.speaking import Caller


@dataclass
class Participants:
    """A mentor, a mentee and an operator as HTTP callers."""

    operator: Caller
    mentor: Caller
    mentee: Caller
    mentor_profile_id: str
    mentor_user_id: str
    mentee_user_id: str
    listing_id: str
    addresses: tuple[str, str]  # the mail addresses of both, which no log may show
    _hours: itertools.count[int] = field(default_factory=lambda: itertools.count(24))

    def slot(self) -> str:
        """The start of an hour from tomorrow on that no other call gets."""
        return (datetime.now(UTC) + timedelta(hours=next(self._hours))).isoformat()

    def request(self, **body: Any) -> str:
        booking = {"listingId": self.listing_id, "startTime": self.slot(), **body}
        return str(self.mentee.post("/bookings", booking)["id"])


def register(api: Caller, *, by_token: bool = False, **offer: Any) -> Participants:
    """Register both, and publish a listing of half an hour that may start at any time.

    Args:
        by_token: whether they show tokens; headers otherwise.
        offer: what is different about the listing.
    """
    operator = api.as_operator()
    mentor_address, mentee_address = (f"{uuid4().hex}@people.example.org" for _ in range(2))
    mentor_user = operator.post("/users", {"email": mentor_address, "name": "Grace Hopper"})["id"]
    mentee_user = operator.post("/users", {"email": mentee_address, "name": "Ada Lovelace"})["id"]
    profile = operator.post("/mentor-profiles", {"userId": mentor_user, "headline": "Compilers, and more"})["id"]
    mentor = api.by_token(sub=mentor_user, mentor_profile_id=profile) if by_token else api.as_mentor(profile)
    mentee = api.by_token(sub=mentee_user) if by_token else api.as_user(mentee_user)
    price = {"amount": 4000, "currency": "USD"}
    listing = {"title": "Half an hour", "durationMinutes": 30, "price": price, "earlyStartMinutes": None, **offer}
    listing_id = mentor.post("/listings", listing)["id"]
    return Participants(
        operator=operator,
        mentor=mentor,
        mentee=mentee,
        mentor_profile_id=profile,
        mentor_user_id=mentor_user,
        mentee_user_id=mentee_user,
        listing_id=listing_id,
        addresses=(mentor_address, mentee_address),
    )
