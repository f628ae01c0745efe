"""The transports of the queue `notifications`: mail, Web Push and the operators' channels, each with its share."""

from __future__ import annotations

import importlib
from typing import Any

from config.sealing import Sealer
from config.settings import Settings
from config.signed_links import Signer
from config.vapid import vapid
from workers.outbound import Route, SenderPool
from workers.transports.client import Client
from workers.transports.letterhead import PURPOSE, Letterhead, Links
from workers.transports.mail import FolderTransport
from workers.transports.protection import Breaker, Protected, Shares
from workers.transports.push import PushTransport
from workers.transports.smtp import SmtpTransport
from workers.transports.transport import NotConfigured, Transport
from workflows.outside.send_mail import Mail
from workflows.outside.send_push import PushMessage


def routes(chosen: Settings) -> dict[str, Route]:
    """By the names that effects know. All together leave room for those who write notifications."""
    threads = chosen.notification_threads
    return {
        "mail": _mail(chosen, max(1, threads // 2)),
        "push": _push(chosen, max(2, threads // 4)),
        "channels": _channels(chosen),
    }


def _channels(chosen: Settings) -> Route:
    if not chosen.apprise_urls:
        return Route(NotConfigured("The operators have this channel no more."))
    # Imported where there are channels: Apprise takes as much memory as the rest of a worker's libraries for sending.
    channels = importlib.import_module("workers.transports.channels")
    # Its services may hang, and it says nothing of which does: they share one thread.
    return Route(channels.ChannelsTransport(chosen.apprise_urls), SenderPool(1))


def _mail(chosen: Settings, senders: int) -> Route:
    links = Links(chosen.public_url, Signer(chosen.encryption_keys, PURPOSE))
    letterhead = Letterhead(chosen.mail_from, chosen.operations_mail or chosen.mail_from, links)
    if not chosen.smtp_url:
        return Route(FolderTransport(chosen.mail_folder, letterhead), SenderPool(senders))
    return Route(
        protected_mail(SmtpTransport(chosen.smtp_url, letterhead), Shares.of_one(senders)), SenderPool(senders)
    )


def _push(chosen: Settings, senders: int) -> Route:
    key = vapid(chosen.vapid_private_key, chosen.vapid_subject)
    if key is None:
        return Route(NotConfigured("Nothing is pushed here any more."))
    client = Client(chosen.webhook_allowed_networks)
    transport = PushTransport(key, Sealer(chosen.encryption_keys), client, chosen.public_url)
    return Route(protected_push(transport, senders), SenderPool(senders))


def protected_mail(transport: Transport[Mail], shares: Shares) -> Protected[Mail]:
    """Mail, of which all goes to one server."""
    breaker = Breaker[Mail](name="mail server", written_at=lambda mail: mail.written_at)
    return Protected(transport, shares, destination=lambda _mail: "", breaker=breaker)


def protected_push(transport: Transport[PushMessage], senders: int, **how: Any) -> Protected[PushMessage]:
    """Web Push, by service. Anybody may name one that is away for ever.

    An hour old, a message there is tried every six minutes, and some seventy times in a day.
    """
    breaker = Breaker[PushMessage](name="push service", written_at=lambda push: push.written_at, age_share=0.1)
    return Protected(transport, Shares.of(senders), destination=lambda push: push.host, breaker=breaker, **how)
