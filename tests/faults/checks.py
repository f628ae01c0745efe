"""After the faults: whether every acknowledged step has each of its consequences, once, and nothing is owed."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import and_, or_
from pathlib import Path

import psycopg

from tests.faults.clients import Life, Record
from tests.receivers import HttpReceiver
from workers.outbound import LATEST_START_SECONDS
from workflows.invariants import queries

QUIET_SECONDS = 60
# A lease without the latest start and the longest send.
SENT_AGAIN_AFTER_SECONDS = 15
# Leases are committed without waiting for the disk or a standby, which have them three wal_writer_delays later. A
# message whose lease was lost may wait for its sender for LATEST_START_SECONDS more.
BROKEN_SECONDS = 1
POLL_SECONDS = 0.25
# What waits for another attempt is due within minutes; timers of the load's bookings are due after a day or more.
_OWED = """
SELECT queue || ' ' || effect, count(*), coalesce(max(now() - due_at), interval '0')
FROM deliveries WHERE state = 'pending' AND due_at < now() + interval '10 minutes' AND effect <> ALL(%s)
GROUP BY 1 ORDER BY 1
"""
_SESSIONS = "SELECT booking_id::text, id::text, status::text FROM sessions WHERE booking_id = ANY(%s::uuid[])"
_PERMITS = "SELECT session_id::text, count(*) FROM review_permits WHERE session_id = ANY(%s::uuid[]) GROUP BY 1"
_BOOKINGS = "SELECT count(*) FROM bookings WHERE listing_id = ANY(%s::uuid[])"
# Each event of a life with its deliveries, by what they are.
_CONSEQUENCES = """
SELECT coalesce(s.booking_id, e.subject_id)::text, e.id::text, e.type, d.effect, d.state::text, d.id::text
FROM events e
LEFT JOIN sessions s ON s.id = e.subject_id
LEFT JOIN deliveries d ON d.event_id = e.id
WHERE e.subject_id = ANY(%s::uuid[])
"""


@dataclass(frozen=True)
class Consequence:
    """A delivery of one life's event; without one, effect and state are empty."""

    event_id: str
    event_type: str
    effect: str
    state: str
    delivery_id: str


@dataclass(frozen=True)
class Check:
    """What was looked for, among how many, and what was found to be wrong."""

    name: str
    looked_at: int
    wrong: Sequence[str]


def wait_until_quiet(
    database_url: str, since: float, *, seconds: float = QUIET_SECONDS, without: Collection[str] = ()
) -> tuple[float, list[str]]:
    """Wait until no delivery is owed.

    Args:
        since: when the last fault ended, on the monotonic clock.
        without: the names of effects whose deliveries are not waited for.

    Returns:
        How long that took from then, and what is still owed when it took too long.
    """
    while True:
        try:
            with psycopg.connect(database_url, autocommit=True) as db:
                owed = [f"{count} × {name}, due for {age}" for name, count, age in db.execute(_OWED, [list(without)])]
        except psycopg.OperationalError as error:
            owed = [str(error)]
        took = time.monotonic() - since
        if not owed or took > seconds:
            return took, owed
        time.sleep(POLL_SECONDS)


def check(
    database_url: str,
    record: Record,
    examples: Sequence[Life],
    listings: Sequence[str],
    inbox: HttpReceiver,
    mail: Path,
    broken_within: Sequence[tuple[float, float]] = (),
) -> Iterator[Check]:
    """Compare all acknowledgements with what was kept.

    Args:
        examples: lives that were played undisturbed, by each version that took part: every other must come to the same,
            to no less than all of them and to no more than one of them.
        listings: what was booked by these clients alone.
        mail: the folder of mails.
        broken_within: from when to when a fault broke the leases of messages that were on their way.
    """
    with psycopg.connect(database_url, autocommit=True) as db:
        yield Check("requests are answered as they should be", len(record.answered_at), record.wrong)
        yield from _rows(db, record)
        yield _bookings(db, record, listings)
        yield from _consequences(db, record, examples, inbox, mail)
        yield _sent_again(inbox, broken_within)
        for name, query in queries().items():
            found = [f"{name}: {row[0]}" for row in db.execute(query.replace("%", "%%").encode())]
            yield Check(f"invariant {name}", 1, found)


def _rows(db: psycopg.Connection, record: Record) -> Iterator[Check]:
    accepted, completed = record.accepted, record.completed
    sessions = db.execute(_SESSIONS, [[life.booking_id for life in accepted]]).fetchall()
    counts = Counter(booking for booking, _id, _status in sessions)
    by_id = {session_id: status for _booking, session_id, status in sessions}
    yield Check(
        "an acknowledged accept has one session, under the id that was promised",
        len(accepted),
        [
            f"booking {life.booking_id}: {counts[life.booking_id]} sessions"
            for life in accepted
            if counts[life.booking_id] != 1 or life.session_id not in by_id
        ],
    )
    permits: dict[str, int] = dict(db.execute(_PERMITS, [[life.session_id for life in completed]]).fetchall())
    yield Check(
        "an acknowledged completion is kept, with one permit",
        len(completed),
        [
            f"session {life.session_id}: {by_id.get(life.session_id)}, {permits.get(life.session_id, 0)} permits"
            for life in completed
            if by_id.get(life.session_id) != "completed" or permits.get(life.session_id) != 1
        ],
    )


def _bookings(db: psycopg.Connection, record: Record, listings: Sequence[str]) -> Check:
    row = db.execute(_BOOKINGS, [listings]).fetchone()
    assert row is not None
    # A request that was never answered may have been executed.
    known, unanswered = len(record.lives), sum("POST /bookings:" in each for each in record.wrong)
    wrong = [] if known <= row[0] <= known + unanswered else [f"{row[0]} bookings of {known} acknowledged requests"]
    return Check("a request that was repeated under its key made one booking", known, wrong)


def _consequences(
    db: psycopg.Connection, record: Record, examples: Sequence[Life], inbox: HttpReceiver, mail: Path
) -> Iterator[Check]:
    lives = [*examples, *record.completed]
    found: dict[str, list[Consequence]] = {life.booking_id: [] for life in lives}
    subjects = [subject for life in lives for subject in (life.booking_id, life.session_id)]
    for booking_id, *rest in db.execute(_CONSEQUENCES, [subjects]):
        found[booking_id].append(Consequence(*(value or "" for value in rest)))
    usual = [_profile(found[each.booking_id]) for each in examples]
    least, most = reduce(and_, usual), reduce(or_, usual)
    yield Check(
        f"a completed life has the {least.total()} events and deliveries of an undisturbed one",
        len(record.completed),
        [
            f"booking {life.booking_id}: missing {dict(least - own)}, beyond {dict(own - most)}"
            for life in record.completed
            if not least <= (own := _profile(found[life.booking_id])) <= most
        ],
    )
    done = [each for those in found.values() for each in those if each.state == "done"]
    mails = {file.stem for file in mail.glob("*.eml")}
    sent = [each for each in done if each.effect == "mail.send"]
    yield Check(
        "a mail that is marked as sent is there",
        len(sent),
        [f"mail {each.delivery_id}" for each in sent if each.delivery_id not in mails],
    )
    announced = [each for each in done if each.effect == "webhooks.send"]
    arrived: dict[str, list[bytes]] = defaultdict(list)
    for request in inbox.requests:
        arrived[request.headers["webhook-id"]].append(request.body)
    yield Check(
        "a webhook that is marked as sent has arrived, with one content under one id",
        len(announced),
        [
            f"{each.event_type} {each.event_id}: {len(arrived[each.event_id])} times"
            for each in announced
            if len(set(arrived[each.event_id])) != 1
        ],
    )


def _sent_again(inbox: HttpReceiver, broken_within: Sequence[tuple[float, float]]) -> Check:
    """Who has not heard how a message ended sends it again when its lease is over, and nobody before."""

    def has_lease(sent: float) -> bool:
        return not any(begin - BROKEN_SECONDS < sent < end + LATEST_START_SECONDS for begin, end in broken_within)

    arrived: dict[str, list[float]] = defaultdict(list)
    for request in list(inbox.requests):
        arrived[request.headers["webhook-id"]].append(request.at)
    soon = [
        f"{message}: after {later - earlier:.1f} s"
        for message, moments in arrived.items()
        for earlier, later in pairwise(sorted(moments))
        if later - earlier < SENT_AGAIN_AFTER_SECONDS and has_lease(earlier)
    ]
    return Check("no webhook is sent again within its lease", len(arrived), soon)


def _profile(consequences: Sequence[Consequence]) -> Counter[str]:
    return Counter(
        # Each event is in as many rows as it has deliveries.
        [f"event {event_type}" for event_type in dict(_events(consequences)).values()]
        + [f"{each.event_type} → {each.effect}: {each.state}" for each in consequences if each.effect]
    )


def _events(consequences: Sequence[Consequence]) -> Iterator[tuple[str, str]]:
    return ((each.event_id, each.event_type) for each in consequences)
