"""Web Push: the browsers that show somebody's notifications, everybody's own."""

from __future__ import annotations

from typing import Any

from api.blueprints import Area, refuses
from api.context import PERSON, RequestContext, Subject
from api.etags import tagged
from api.lists import lists
from api.loaders import changes, reads
from api.parts import parts
from api.schemas import push as shapes
from config.vapid import Vapid, vapid
from workflows.errors import Conflict
from workflows.notifications.browsers import (
    BROWSERS,
    Browser,
    browser_query,
    forget_browser,
    owner_of,
    subscribe_browser,
)

push = Area("Web Push", "The browsers that show one's notifications, also while the application is closed.")

SUBSCRIPTION = Subject(name="push subscription", query=browser_query, record=Browser, access=owner_of)


@push.route("/push-subscriptions/key")
@refuses("push_off")
@reads(PERSON)
@push.response(200, shapes.PushKey)
def get_push_key(_context: RequestContext[None]) -> Any:
    """Read the public key that browsers subscribe by."""
    return {"public_key": _vapid().public_key}


@push.route("/push-subscriptions", methods=["POST"])
@refuses("push_off")
@changes(PERSON)
@push.arguments(shapes.NewPushSubscription)
@push.response(201, shapes.PushSubscription)
def create_push_subscription(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Have one's notifications pushed to a browser.

    A browser belongs to whoever subscribed it last. One has at most 20; a further one takes the place of the oldest.
    """
    _vapid()
    browser = subscribe_browser(
        context.db,
        actor=context.actor,
        endpoint=body["endpoint"],
        p256dh=body["keys"]["p256dh"],
        auth=body["keys"]["auth"],
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
    )
    return tagged(browser)


@push.route("/push-subscriptions")
@push.response(200, shapes.PushSubscriptions)
@lists(PERSON, BROWSERS, shapes.PushFilters)
def list_push_subscriptions(context: RequestContext[None]) -> dict[str, Any]:
    """List one's browsers, the newest first."""
    return {"user_id": context.actor.user_id}


@push.route("/push-subscriptions/<id:subscription_id>", methods=["DELETE"])
@changes(PERSON, SUBSCRIPTION)
@push.response(204)
def delete_push_subscription(context: RequestContext[Browser]) -> Any:
    """Push nothing to a browser any more; what is on its way to it is not sent either."""
    forget_browser(context.db, context.subject.id)


def _vapid() -> Vapid:
    settings = parts().settings
    known = vapid(settings.vapid_private_key, settings.vapid_subject)
    if known is None:
        raise Conflict("Nothing is pushed here: whoever runs this has set no key for it.", code="push_off")
    return known
