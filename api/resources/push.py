"""Web Push: the browsers that show somebody's notifications, everybody's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from api.blueprints import Area, refuses
from api.calls import PERSON, Call, Subject
from api.etags import tagged
from api.lists import NEWEST_FIRST, lists
from api.loaders import changes, reads
from api.parts import parts
from api.schemas import push as shapes
from config.vapid import Vapid, vapid
from workflows.errors import Conflict
from workflows.identity.actor import Claim
from workflows.identity.recognise import caller_query
from workflows.notifications.browsers import (
    Browser,
    browser_query,
    browsers_query,
    forget_browser,
    owner_of,
    subscribe_browser,
)
from workflows.paging import Page

push = Area("Web Push", "The browsers that show one's notifications, also while the application is closed.")

SUBSCRIPTION = Subject(name="push subscription", query=browser_query, record=Browser, access=owner_of)


@push.route("/push-subscriptions/key")
@refuses("push_off")
@reads(PERSON)
@push.response(200, shapes.PushKey)
def get_push_key(_call: Call[None]) -> Any:
    """Read the public key that browsers subscribe by."""
    return {"public_key": _vapid().public_key}


@push.route("/push-subscriptions", methods=["POST"])
@refuses("push_off")
@changes(PERSON)
@push.arguments(shapes.NewPushSubscription)
@push.response(201, shapes.PushSubscription)
def create_push_subscription(call: Call[None], body: dict[str, Any]) -> Any:
    """Have one's notifications pushed to a browser.

    A browser belongs to whoever subscribed it last. One has at most 20; a further one takes the place of the oldest.
    """
    _vapid()
    browser = subscribe_browser(
        call.db,
        actor=call.actor,
        endpoint=body["endpoint"],
        p256dh=body["keys"]["p256dh"],
        auth=body["keys"]["auth"],
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
    )
    return tagged(browser)


@push.route("/push-subscriptions")
@push.response(200, shapes.PushSubscriptions)
@lists(PERSON, Browser, shapes.PushFilters, NEWEST_FIRST)
def list_push_subscriptions(claim: Claim, page: Page) -> Select[Any]:
    """List one's browsers, the newest first."""
    user: Any = claim.user_id or select(caller_query(claim).c.caller_user_id).scalar_subquery()
    return browsers_query(page, user)


@push.route("/push-subscriptions/<id:subscription_id>", methods=["DELETE"])
@changes(PERSON, SUBSCRIPTION)
@push.response(204)
def delete_push_subscription(call: Call[Browser]) -> Any:
    """Push nothing to a browser any more; what is on its way to it is not sent either."""
    forget_browser(call.db, call.subject.id)


def _vapid() -> Vapid:
    settings = parts().settings
    known = vapid(settings.vapid_private_key, settings.vapid_subject)
    if known is None:
        raise Conflict("Nothing is pushed here: whoever runs this has set no key for it.", code="push_off")
    return known
