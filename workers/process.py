"""What one process holds once: its connections, its nudging thread, its transports; made at the first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from celery import current_app

from config.sealing import Sealer
from config.settings import Settings, settings
from config.signed_links import Signer
from config.vapid import vapid
from models import engine
from workers.metering import metered
from workers.rules import house_rules
from workers.runner import Deliverer
from workers.senders import Pool
from workers.transactions import Transactions
from workers.transports.bounded import Bounded, Sparing
from workers.transports.channels import ChannelsTransport
from workers.transports.client import Client
from workers.transports.http import WebhookTransport
from workers.transports.lanes import Shares
from workers.transports.letterhead import PURPOSE, Letterhead, Links
from workers.transports.mail import FolderTransport
from workers.transports.push import PushTransport
from workers.transports.push_share import push_share
from workers.transports.share import FairShare
from workers.transports.smtp import SmtpTransport
from workers.transports.transport import Transport
from workers.wakeups import Nudger
from workflows.events.subscriptions import use
from workflows.notifications import wording

FLUSH_SECONDS = 3.0


@dataclass(frozen=True)
class Process:
    """A worker's belongings."""

    nudger: Nudger
    transactions: Transactions
    deliverer: Deliverer

    def close(self) -> None:
        """Publish what is still to be nudged, and let go of the database."""
        self.nudger.flush(FLUSH_SECONDS)
        self.transactions.engine.dispose()


@cache
def current() -> Process:
    """This process's belongings, from its settings; after the fork where there is one."""
    chosen = settings()
    wording.use(Path(chosen.templates_folder) if chosen.templates_folder else None)
    app = current_app._get_current_object()
    # Threads that wait for the outside world hold no connection meanwhile, so that a few serve many.
    database = metered(
        engine.create(chosen.database_url, pool_size=chosen.database_pool_size, name="tutelage-worker"),
        process=app.conf.get("tutelage_process", "worker"),
    )
    nudger = Nudger(app)
    transactions = Transactions(database, nudger)
    transports: Mapping[str, Transport] = {"http": _http(chosen), "mail": _mail(chosen), "push": _push(chosen)}
    transports = {**transports, "channels": Bounded(ChannelsTransport(chosen.apprise_urls), few=1, many=1)}
    senders = Pool(_with_reserve(app.conf.get("tutelage_threads", 1)))
    effects = use(house_rules(chosen))
    return Process(nudger, transactions, Deliverer(transactions, effects, transports, senders))


def _with_reserve(threads: int) -> int:
    # Of the senders a quarter is kept in reserve; Celery's threads are as many as the others, and only wait for them.
    return threads + threads // 3


def _http(chosen: Settings) -> Transport:
    transport = WebhookTransport(Sealer(chosen.encryption_keys), chosen.webhook_allowed_networks)
    return FairShare(transport, Shares.of(_with_reserve(chosen.webhook_threads)))


def _push(chosen: Settings) -> Transport:
    key = vapid(chosen.vapid_private_key, chosen.vapid_subject)
    client = Client(chosen.webhook_allowed_networks)
    transport = PushTransport(key, Sealer(chosen.encryption_keys), client, chosen.public_url)
    return push_share(transport, max(2, chosen.notification_threads // 4))


def _mail(chosen: Settings) -> Transport:
    links = Links(chosen.public_url, Signer(chosen.encryption_keys, PURPOSE))
    letterhead = Letterhead(chosen.mail_from, chosen.operations_mail or chosen.mail_from, links)
    if not chosen.smtp_url:
        return FolderTransport(chosen.mail_folder, letterhead)
    # A server that hangs never takes so many that nobody is left to write notifications.
    many = max(1, chosen.notification_threads // 2)
    server = SmtpTransport(chosen.smtp_url, letterhead)
    return Bounded(Sparing(server, "mail server"), few=max(1, many // 4), many=many)
