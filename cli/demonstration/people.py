"""First act: two people, a mentor's offer, and a partner who wants to be told."""

from __future__ import annotations

import random
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import uuid4

from cli.demonstration.client import Client
from cli.demonstration.expecting import expect_webhook
from cli.demonstration.scene import Expected, Scene, Seen
from cli.seeding.names import FAMILY_NAMES, GIVEN_NAMES

MINUTES = 60
LISTING = {
    "title": "Career advice",
    "description": "An hour about where you stand and where you want to go.",
    "durationMinutes": MINUTES,
    "price": {"amount": 4500, "currency": "EUR"},
    "bookingMode": "request",
    # The demo does not wait for the hour to come.
    "earlyStartMinutes": None,
}


@dataclass(frozen=True)
class Cast:
    """Who plays, and what is on offer."""

    operator: Client
    mentee: Client
    mentor: Client
    mentee_id: str
    mentor_user_id: str
    mentor_profile_id: str
    mentee_mail: str
    mentor_mail: str
    listing_id: str
    endpoint_id: str


def gather(scene: Scene) -> Cast:
    """Register everybody and everything that the story needs; each run has people of its own."""
    show = scene.show
    show.act("Two people, an offer, and a partner who listens")
    operator = scene.client(sub="demo", roles=["operator"])
    mentee, mentor = (_register(scene, operator, role, zone) for role, zone in _ROLES)
    profile = scene.client(sub=mentor["id"], roles=[]).post(
        "/mentor-profiles",
        {"headline": "Engineering manager", "bio": "Twelve years of it.", "skills": ["careers", "interviews"]},
    )
    show.step("the mentor publishes a profile", by="api", milliseconds=profile.milliseconds)
    as_mentor = scene.client(sub=mentor["id"], roles=[], mentor_profile_id=profile.body["id"])
    listing = as_mentor.post("/listings", LISTING)
    show.step(f"the mentor offers “{LISTING['title']}”, 60 minutes", by="api", milliseconds=listing.milliseconds)
    return Cast(
        operator=operator,
        mentee=scene.client(sub=mentee["id"], roles=[]),
        mentor=as_mentor,
        mentee_id=mentee["id"],
        mentor_user_id=mentor["id"],
        mentor_profile_id=profile.body["id"],
        mentee_mail=mentee["email"],
        mentor_mail=mentor["email"],
        listing_id=listing.body["id"],
        endpoint_id=_listen(scene, as_mentor),
    )


_ROLES = (("mentee", "Europe/Lisbon"), ("mentor", "America/New_York"))


def _register(scene: Scene, operator: Client, role: str, time_zone: str) -> dict[str, Any]:
    given, family = random.choice(GIVEN_NAMES), random.choice(FAMILY_NAMES)
    address = f"{given}.{uuid4().hex[:12]}@{role}.example".lower()
    answer = operator.post("/users", {"email": address, "name": f"{given} {family}", "timeZone": time_zone})
    scene.show.step(f"the operator registers {given} {family}, the {role}", by="api", milliseconds=answer.milliseconds)
    return answer.body


def _listen(scene: Scene, mentor: Client) -> str:
    """A webhook endpoint of the mentor's own, so that it hears of this run alone."""
    body = {"url": scene.receiver.url, "eventTypes": ["booking.*", "session.*"], "description": "The demo's receiver"}
    answer = mentor.post("/webhook-endpoints", body)
    endpoint: str = answer.body["id"]
    scene.show.step(
        f"a webhook endpoint is made, and is {answer.body['state']}", by="api", milliseconds=answer.milliseconds
    )
    scene.receiver.trust(mentor.get(f"/webhook-endpoints/{endpoint}/secret").body["secret"])
    pinged = expect_webhook(scene, "webhook.ping", endpoint)
    scene.await_all([pinged, _expect_active(mentor, endpoint)], since=answer.sent_at)
    return endpoint


def _expect_active(mentor: Client, endpoint_id: str) -> Expected:
    def look() -> Seen | None:
        state = mentor.get(f"/webhook-endpoints/{endpoint_id}").body["state"]
        return Seen(monotonic(), "the endpoint is active, since its ping got 2xx") if state == "active" else None

    return Expected("The webhook endpoint's activation", "worker-webhooks", look, "worker-webhooks")
