"""Routes: the transports of each queue's outbound effects, each with its bulkhead.

A transport is imported where it is configured: with Apprise, or cryptography for Web Push, a worker takes much more
memory.
"""

from collections.abc import Callable, Iterable
from typing import Any

from config.settings import MAIL_OFF, Settings
from config.signed_links import Signer
from infrastructure.operator_policy import brand
from workers.outbound import Route, SenderPool
from workers.transports import NotConfigured, Transport
from workers.transports.protection import Breaker, Protected, Shares
from workflows.action_links.buttons import AppPage
from workflows.action_links.link import LINK_PURPOSE
from workflows.availability.feed_reading import FeedRequest
from workflows.events.subscriptions import Subscriptions
from workflows.notifications.mails import Mail, Notice
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE
from workflows.notifications.pushes import PushMessage
from workflows.payments.refunds import PageMessage, RefundMessage
from workflows.sessions.meeting import MeetingService

STRIPE_SENDERS = 2
MAIL_IS_OFF = "Mails are switched off: MAIL=off."


def routes_of(queues: Iterable[str], chosen: Settings, effects: Subscriptions) -> dict[str, Route[Any]]:
    """The routes of a worker of these queues, by the names of their transports.

    Raises:
        ValueError: an effect asks for a transport that its queue does not have, or a setting cannot be used.
    """
    found: dict[str, Route[Any]] = {}
    for queue in queues:
        of_queue = ROUTES[queue](chosen) if queue in ROUTES else {}
        for effect in effects.outbound_effects():
            if effect.queue == queue and effect.transport not in of_queue:
                raise ValueError(
                    f"The effect {effect.name} asks for the transport {effect.transport}, "
                    f"which workers of the queue {queue} do not have."
                )
        found |= of_queue
    return found


def _webhook_routes(chosen: Settings) -> dict[str, Route[Any]]:
    """The transports of webhooks, whose circuit breaker is the endpoint's row, and of calendars."""
    from config.sealing import Sealer  # noqa: PLC0415
    from infrastructure.http_client import HttpClient  # noqa: PLC0415
    from workers.transports.calendars import LIMITS, CalendarTransport  # noqa: PLC0415
    from workers.transports.webhooks import WebhookTransport  # noqa: PLC0415

    # A quarter is kept in reserve; the other senders are as many as Celery's threads, which only wait for them.
    senders = chosen.webhook_threads + chosen.webhook_threads // 3
    transport = WebhookTransport(Sealer(chosen.encryption_keys), chosen.webhook_allowed_networks)
    protected = Protected(transport, Shares.of(senders), destination=lambda message: message.endpoint_id)
    # Few separate threads, so that neither slow calendars nor large ones delay webhooks.
    readers = max(4, chosen.webhook_threads // 8)
    client = HttpClient(chosen.webhook_allowed_networks, limits=LIMITS)
    calendars = protected_calendars(CalendarTransport(Sealer(chosen.encryption_keys), client), readers)
    return {
        "http": Route(protected, SenderPool(senders)),
        "calendars": Route(calendars, SenderPool(readers)),
        "stripe": _stripe(chosen),
    }


def _notification_routes(chosen: Settings) -> dict[str, Route[Any]]:
    """Mail, push and channels, which all together leave threads for the effects that write notifications."""
    threads = chosen.notification_threads
    return {
        "mail": _mail(chosen, max(1, threads // 2)),
        "push": _push(chosen, max(2, threads // 4)),
        "channels": _channels(chosen),
    }


ROUTES: dict[str, Callable[[Settings], dict[str, Route[Any]]]] = {
    "webhooks": _webhook_routes,
    "notifications": _notification_routes,
}


def _stripe(chosen: Settings) -> Route[Any]:
    if chosen.stripe_api_key:
        from infrastructure.stripe_provider import StripeProvider  # noqa: PLC0415
        from workers.transports.stripe import StripeTransport  # noqa: PLC0415

        if (provider := StripeProvider.of(chosen)) is not None:
            return Route(protected_stripe(StripeTransport(provider)), SenderPool(STRIPE_SENDERS))
    return Route(NotConfigured("Stripe is no longer configured."), SenderPool(1))


def _channels(chosen: Settings) -> Route[Any]:
    if not chosen.apprise_channels:
        return Route(NotConfigured("The operators no longer have this channel."), SenderPool(1))
    from workers.transports.apprise import AppriseTransport  # noqa: PLC0415

    # They share one thread. A channel that hangs holds it until the deadline, and then leaves it to the others for a
    # while.
    return Route(protected_channels(AppriseTransport(chosen.apprise_channels)), SenderPool(1))


def _mail(chosen: Settings, senders: int) -> Route[Mail]:
    if chosen.mail == MAIL_OFF:
        return Route(NotConfigured(MAIL_IS_OFF), SenderPool(1))
    from config.sealing import Sealer, use_sealer  # noqa: PLC0415
    from workers.transports.mail import FolderTransport, MailIdentity  # noqa: PLC0415

    # Of answers, which mails to mentors show.
    use_sealer(Sealer(chosen.encryption_keys))
    signer = Signer(chosen.signing_keys, UNSUBSCRIBE_PURPOSE)
    operators = chosen.operations_mail or chosen.mail_from
    app_urls = {AppPage(name): url for name, url in chosen.app_urls.items()}
    meetings, links = MeetingService(chosen.meeting_url), Signer(chosen.signing_keys, LINK_PURPOSE)
    identity = MailIdentity(
        chosen.mail_from,
        operators,
        chosen.public_url,
        signer,
        meetings,
        links,
        app_urls,
        brand=brand(chosen),
        reply_to=chosen.mail_reply_to,
    )
    transport: Transport[Mail] = FolderTransport(chosen.mail_folder, identity)
    if chosen.smtp_url:
        from workers.transports.smtp import SmtpTransport  # noqa: PLC0415

        transport = SmtpTransport(chosen.smtp_url, identity)
    return Route(protected_mail(transport, Shares.of_one(senders)), SenderPool(senders))


def _push(chosen: Settings, senders: int) -> Route[Any]:
    if not chosen.vapid_private_key:
        return Route(NotConfigured("Web Push is no longer configured."), SenderPool(1))
    from config.sealing import Sealer  # noqa: PLC0415
    from config.vapid import vapid  # noqa: PLC0415
    from infrastructure.http_client import HttpClient  # noqa: PLC0415
    from workers.transports.web_push import WebPushTransport  # noqa: PLC0415

    key = vapid(chosen.vapid_private_key, chosen.vapid_subject)
    assert key is not None
    client = HttpClient(chosen.webhook_allowed_networks)
    transport = WebPushTransport(key, Sealer(chosen.encryption_keys), client, chosen.public_url)
    return Route(protected_push(transport, senders), SenderPool(senders))


def protected_mail(transport: Transport[Mail], shares: Shares) -> Protected[Mail]:
    """Mail, with one circuit breaker for the mail server."""
    breaker = Breaker[Mail](name="mail server", age=lambda mail: mail.prepared_at - mail.written_at)
    return Protected(transport, shares, destination=lambda _mail: "", breaker=breaker)


def protected_channels(transport: Transport[Notice]) -> Protected[Notice]:
    """The operators' channels, with a circuit breaker for each."""
    breaker = Breaker[Notice](name="channel", age=lambda notice: notice.prepared_at - notice.written_at)
    return Protected(transport, Shares.of_one(1), destination=lambda notice: notice.channel, breaker=breaker)


def protected_stripe(transport: Transport[RefundMessage | PageMessage]) -> Protected[RefundMessage | PageMessage]:
    """Refunds and pages to close, with one circuit breaker for Stripe."""
    breaker = Breaker[RefundMessage | PageMessage](name="Stripe", age=lambda sent: sent.prepared_at - sent.created_at)
    return Protected(transport, Shares.of_one(STRIPE_SENDERS), destination=lambda _sent: "", breaker=breaker)


def protected_calendars(transport: Transport[FeedRequest], readers: int) -> Protected[FeedRequest]:
    """Outside calendars, many of them on few servers; each has its own pauses instead of a circuit breaker."""
    return Protected(transport, Shares.of_few(readers), destination=lambda request: request.origin)


def protected_push(transport: Transport[PushMessage], senders: int, **options: Any) -> Protected[PushMessage]:
    """Web Push, with a circuit breaker for each service, since a user may name a service that never responds.

    A message that is an hour old is then tried every six minutes, and some seventy times in a day.
    """
    breaker = Breaker[PushMessage](
        name="push service", age=lambda push: push.prepared_at - push.written_at, age_share=0.1
    )
    return Protected(transport, Shares.of(senders), destination=lambda push: push.host, breaker=breaker, **options)
