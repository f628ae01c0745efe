"""Maintain: the slow loop beside the sweep. It fills gaps, deletes what is old, and checks the invariants.

Any number of processes may run. One of them makes each round; the others only measure, and begin a round that is late.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event
from time import monotonic

import structlog
from sqlalchemy import Connection, func, select

from config import telemetry
from config.settings import settings
from infrastructure.celery_app import app
from infrastructure.operator_policy import operator_policy
from infrastructure.transactions import Transactions, is_unavailable, metered
from infrastructure.wakeups import WakeupQueue
from models import engine
from workflows.accounts.email_change import forget_email_changes
from workflows.action_links.link import forget_spent_links
from workflows.analytics.summary import add_up_changes
from workflows.audit.chain import Link, chain_entries, check_next_blocks, end_of_chain, oldest_kept, oldest_unchained
from workflows.audit.retention import drop_old_partition, make_partitions
from workflows.bookings.holds import delete_expired_holds
from workflows.events import QUEUES
from workflows.events.backfill import fill_new_gaps, introduce
from workflows.events.retention import Retention, delete_deliveries, delete_events
from workflows.events.subscriptions import load
from workflows.events.sweep import backlogs, dead_by_effect, oldest_undelivered
from workflows.groups.waitlist import offer_waited_seats
from workflows.imports.uploads import forget_imports
from workflows.invariants import continuous
from workflows.kernel.cursors import move_cursor, take_cursor
from workflows.kernel.expired import ExpiredRows
from workflows.kernel.quotas import forget_unused_quotas
from workflows.notifications.deliveries import delete_notifications
from workflows.privacy.erasure import go_on_erasing
from workflows.sessions.outcomes import cancel_not_held, remind_to_complete
from workflows.webhooks.actions import cancel_left_deliveries, forget_former_secrets, hasten_postponed
from workflows.webhooks.deliveries import forget_missed_messages

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 30.0
# While another process makes the rounds, this one looks as often for one that is late.
STANDBY_SECONDS = 5.0
# Nobody begins another round before; less than the interval, which is measured by another clock.
ROUND = timedelta(seconds=INTERVAL_SECONDS - 1)
_ROUND = "round of maintain"
# Between two pages of everything: at least so long, and so many times as long as the page before took. Mentors with a
# long history so take no larger part of the database's time than others.
PAGE_PAUSE_SECONDS = 1.0
PAGE_PAUSE_TIMES = 20
# Of one chore in a round: enough to keep up under load, and the other chores have their turn.
MAX_BATCHES = 20
# Does a part of its work; returns whether there may be more.
Chore = Callable[[Connection], bool]

forget_expired_keys = ExpiredRows("idempotency_keys", "expires_at < now()", order="expires_at")


def run_forever(stop: Event) -> None:
    """Maintain twice a minute until `stop` is set; errors are logged.

    It begins at once, unless a round has just been begun by another process, or by an earlier one.
    """
    database = metered(
        engine.create(settings().require_database_url(), pool_size=1, name="tutelage-maintain"), process="maintain"
    )
    wakeups = WakeupQueue(app)
    log.info("maintain.started")
    transactions = Transactions(database, wakeups)
    measured = -INTERVAL_SECONDS
    while not stop.is_set():
        now = monotonic()
        if _do(transactions, _ROUND, take_round, 1):
            maintain(transactions)
            look_through(transactions, stop, until=now + INTERVAL_SECONDS)
        else:
            if now >= measured + INTERVAL_SECONDS:
                maintain(transactions, GAUGES)
                measured = now
            stop.wait(STANDBY_SECONDS)
    wakeups.flush()
    database.dispose()
    log.info("maintain.stopped")


def take_round(db: Connection) -> bool:
    """Begin a round, unless another process did so less than a round ago, or is about to."""
    now = _now(db)
    begun = take_cursor(db, _ROUND, begin=now - ROUND)
    if begun is None or begun.moment > now - ROUND:
        return False
    move_cursor(db, _ROUND, now)
    return True


def maintain(
    transactions: Transactions, chores: Mapping[str, Chore] | None = None, *, batches: int = MAX_BATCHES
) -> bool:
    """One round, each chore in transactions of its own; returns whether all of them succeeded."""
    chores = chores or CHORES
    return all([_do(transactions, name, chore, batches) is not None for name, chore in chores.items()])


def look_through(
    transactions: Transactions, stop: Event, *, until: float, pause_seconds: float = PAGE_PAUSE_SECONDS
) -> None:
    """Look for violations in everything, a page and a pause at a time, and then wait.

    Args:
        until: by `time.monotonic`, when the next round begins.
    """
    pages_left, pause = True, pause_seconds
    while (left := until - monotonic()) > 0:
        if stop.wait(min(left, pause) if pages_left else left):
            return
        if pages_left and (began := monotonic()) < until:
            pages_left = bool(_do(transactions, "look through everything", continuous.look_through, 1))
            pause = max(pause_seconds, PAGE_PAUSE_TIMES * (monotonic() - began))


def _do(transactions: Transactions, name: str, chore: Chore, batches: int) -> bool | None:
    """Run a chore; returns whether more of it is left to be done, or None where it failed."""
    more = False
    try:
        for _batch in range(batches):
            with transactions() as db:
                more = chore(db)
            if not more:
                break
    except Exception as error:
        # After a failure, the next chores and the loop go on.
        if is_unavailable(error):
            log.warning("maintain.database_unavailable", chore=name, error=str(error.__cause__ or error))
        else:
            log.error("maintain.trouble", chore=name, exc_info=error)
        telemetry.MAINTAIN_CHORES.labels(name, "trouble").inc()
        return None
    telemetry.MAINTAIN_CHORES.labels(name, "ok").inc()
    return more


def _now(db: Connection) -> datetime:
    """The database's time, which may differ from this process's clock."""
    return db.execute(select(func.now())).scalar_one()


def _fill_gaps(db: Connection) -> bool:
    """Write the deliveries of effects that an old process did not know (durability.md, Maintain)."""
    introduce(db, load())
    filled, more = fill_new_gaps(db, load(), now=_now(db))
    if filled:
        log.warning("maintain.filled_gaps", deliveries=filled)
    return more


def _with_now(chore: Callable[..., bool]) -> Chore:
    return lambda db: chore(db, now=_now(db))


def _offer_seats(db: Connection) -> bool:
    """Offer seats that stayed free to people on the waiting list who can take them now."""
    return offer_waited_seats(db, now=_now(db), policy=operator_policy(settings()))


def make_audit_partitions(db: Connection) -> bool:
    """Make the partitions of the audit before they are needed."""
    for month in make_partitions(db, now=_now(db)):
        log.info("audit.partition_made", month=month.isoformat())
    return False


def chain_audit(db: Connection) -> bool:
    """Chain new entries of the audit, and write the chain's end to the log, which the database cannot change."""
    before = end_of_chain(db)
    more = chain_entries(db)
    _note_end(db, before)
    _gauge_audit(db)
    return more


def _gauge_audit(db: Connection) -> bool:
    oldest = oldest_unchained(db)
    waited = (_now(db) - oldest).total_seconds() if oldest else 0.0
    telemetry.AUDIT_UNCHAINED_AGE.set(max(0.0, waited))
    return False


def _note_end(db: Connection, before: Link) -> None:
    end = end_of_chain(db)
    if end.number > before.number:
        log.info("audit.chained", block=end.number, up_to=end.up_to, hash=end.hash.hex())


def check_audit(db: Connection) -> bool:
    """Check a page of the chain; after its end, the next page is the first again."""
    kept_since = oldest_kept(_now(db), settings().audit_kept_days)
    for problem in check_next_blocks(db, kept_since=kept_since):
        telemetry.AUDIT_PROBLEMS.inc()
        log.error("audit.tampered", problem=problem.sentence, block=problem.block, entry_id=problem.entry_id)
    return False


def drop_old_audit(db: Connection) -> bool:
    """Drop the audit's partitions that are old enough, and write the blocks that replace them to the log, too."""
    days, before = settings().audit_retention_days, end_of_chain(db)
    dropped = drop_old_partition(db, now=_now(db), keep_days=days) if days else None
    if dropped:
        log.info("audit.partition_dropped", partition=dropped)
        _note_end(db, before)
    return dropped is not None


def _retain(retention: Retention, setting: str) -> Chore:
    return lambda db: retention(db, now=_now(db), keep_days=getattr(settings(), setting))


def _gauge_deliveries(db: Connection) -> bool:
    """Set the metrics of due deliveries by queue, and of dead letters by effect."""
    for backlog in backlogs(db, QUEUES):
        telemetry.DELIVERIES_DUE.labels(backlog.queue).set(backlog.due)
        telemetry.OLDEST_DUE_AGE.labels(backlog.queue).set(backlog.oldest.total_seconds())
    # A repeating delivery, such as the reading of a calendar, never leaves for good.
    messages = [effect.name for effect in load().outbound_effects() if effect.repeat_at is None]
    for queue, age in oldest_undelivered(db, QUEUES, messages).items():
        telemetry.OLDEST_UNDELIVERED_AGE.labels(queue).set(age.total_seconds())
    effects = load().all()
    dead = dead_by_effect(db, [effect.name for effect in effects])
    # Also effects without any: a delivery that an operator has retried is no longer dead.
    for effect in effects:
        telemetry.DELIVERIES_DEAD.labels(effect.queue, effect.name).set(dead.get(effect.name, 0))
    return False


def _tell_violations(db: Connection, *, in_log: bool = True) -> bool:
    for finding in continuous.findings(db):
        telemetry.INVARIANT_VIOLATIONS.labels(finding.name).set(finding.violations)
        if finding.violations and in_log:
            log.error(
                "invariant.violated",
                invariant=finding.name,
                meaning=finding.meaning,
                violations=finding.violations,
                sample=finding.sample,
            )
    return False


# Of each process, whose figures would otherwise stay as they were at its last round.
GAUGES: dict[str, Chore] = {
    "gauge violations": lambda db: _tell_violations(db, in_log=False),
    "gauge deliveries": _gauge_deliveries,
    "gauge the audit": _gauge_audit,
}
CHORES: dict[str, Chore] = {
    "fill gaps": _fill_gaps,
    "forget expired keys": forget_expired_keys,
    "forget missed messages": _with_now(forget_missed_messages),
    "cancel deliveries of deleted endpoints": cancel_left_deliveries,
    "hasten postponed messages": hasten_postponed,
    "cancel sessions not held": _with_now(cancel_not_held),
    "remind of sessions to complete": _with_now(remind_to_complete),
    "offer free seats": _offer_seats,
    "delete expired holds": delete_expired_holds,
    "forget used links": forget_spent_links,
    "forget mail addresses": forget_email_changes,
    "erase deleted accounts": go_on_erasing,
    "forget unused quotas": forget_unused_quotas,
    "forget former secrets": forget_former_secrets,
    "forget imports": forget_imports,
    "add up sessions": add_up_changes,
    "look at changes": continuous.look_at_changes,
    "look at violations again": continuous.look_again,
    "tell violations": _tell_violations,
    "gauge deliveries": _gauge_deliveries,
    "make partitions of the audit": make_audit_partitions,
    "chain the audit": chain_audit,
    "check the audit": check_audit,
    "drop old audit": drop_old_audit,
    "delete old deliveries": _retain(delete_deliveries, "delivery_retention_days"),
    "delete old notifications": _retain(delete_notifications, "notification_retention_days"),
    "delete old events": _retain(delete_events, "event_retention_days"),
}
