"""Backfill: deliveries of new effects that an old process, still running during a deploy, did not record."""

from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from models.events import effect_catalogues, events, subscriptions
from workflows.events import repair
from workflows.events.event_types import CalendarFreed, CalendarTaken
from workflows.events.record import fill_in
from workflows.events.retention import delete_deliveries, kept_since
from workflows.events.subscriptions import Subscriptions
from workflows.kernel.clock import CLOCK_SKEW, first_id_at
from workflows.kernel.cursors import LAST_ID, latest_moment, move_cursor, take_cursor

PAGE = 500
GAPS_AT_ONCE = timedelta(hours=1)
# For transactions that commit late.
GAPS_SETTLE_AFTER = timedelta(minutes=2)
_GAPS = "gaps of catalogue "


def introduce(db: Connection, known: Subscriptions) -> None:
    """Note when each subscription was first seen, once: from then on no event of its type may go without it.

    And note which effects the events know that this code records.
    """
    rows = [{"effect": effect.name, "event_type": name, "queue": effect.queue} for effect, name in known.pairs()]
    db.execute(insert(subscriptions).values(rows).on_conflict_do_nothing())
    catalogue = {"id": known.effect_catalogue.id, "effects": list(known.effect_catalogue.effects)}
    db.execute(insert(effect_catalogues).values(catalogue).on_conflict_do_nothing())


def fill_gaps(
    db: Connection,
    known: Subscriptions,
    *,
    now: datetime,
    since: datetime | None = None,
    look_back: timedelta | None = None,
    until: datetime | None = None,
    page_size: int = PAGE,
) -> int:
    """Write the deliveries that are missing, and return how many were.

    Args:
        since: where to begin, whenever each subscription was first seen, and whatever the events' writers knew; None
            for that time, and for what their writers did not know.
        look_back: but no longer than this, to keep a frequent look cheap.
        until: where to end; None for now.
    """
    earliest = now - look_back if look_back else datetime.min.replace(tzinfo=UTC)
    before = first_id_at(until + CLOCK_SKEW) if until else LAST_ID
    columns = (subscriptions.c.effect, subscriptions.c.event_type, subscriptions.c.first_seen_at)
    first_seen = {(row.effect, row.event_type): row.first_seen_at for row in db.execute(select(*columns))}
    filled = 0
    # What was done before may have been deleted since, and is not done again.
    kept = kept_since(db, delete_deliveries)
    for effect, event_type in known.pairs():
        begin = max(kept, since or max(earliest, first_seen.get((effect.name, event_type), now)))
        page = partial(repair.events_without, whatever_was_known=since is not None, limit=page_size)
        after = first_id_at(begin - CLOCK_SKEW)
        while missing := page(db, effect.name, event_type, since=begin, after=after, before=before):
            filled += sum(fill_in(db, event, effect) for event in missing)
            after = missing[-1].id
    return filled


def fill_new_gaps(db: Connection, known: Subscriptions, *, now: datetime) -> tuple[int, bool]:
    """Write what is missing of the events since the last call, of up to an hour of them.

    Nothing can be missing of an event whose writer knew exactly these effects: others are rare, and looked for first.

    Returns:
        How many deliveries were missing, and whether there may be more.
    """
    # From where writers that knew other effects have been looked through; at first, from when effects were introduced.
    begin = latest_moment(db, _GAPS) or db.execute(select(func.min(subscriptions.c.first_seen_at))).scalar() or now
    name = f"{_GAPS}{known.effect_catalogue.id}"
    if (cursor := take_cursor(db, name, begin)) is None:
        return 0, False
    until = min(now, cursor.moment + GAPS_AT_ONCE)
    filled = 0
    if _others_wrote(db, known, cursor.moment, until):
        filled = fill_gaps(db, known, now=until, look_back=until - cursor.moment, until=until)
    move_cursor(db, name, max(cursor.moment, min(until, now - GAPS_SETTLE_AFTER)))
    return filled, until < now


def _others_wrote(db: Connection, known: Subscriptions, since: datetime, until: datetime) -> bool:
    bounds = events.c.id.between(first_id_at(since - CLOCK_SKEW), first_id_at(until + CLOCK_SKEW))
    other = events.c.catalogue.is_distinct_from(known.effect_catalogue.id)
    # Events that the database records have no catalogue, and no effect.
    by_a_process = events.c.type.not_in([CalendarTaken.type, CalendarFreed.type])
    return db.execute(select(events.c.id).where(bounds, other, by_a_process).limit(1)).one_or_none() is not None
