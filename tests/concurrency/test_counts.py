"""Whatever happens to 200 bookings, in any order, while two workers deliver five times over: the counts are right."""

from __future__ import annotations

import operator
import random
import secrets
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from models.analytics import COUNTERS
from models.events import DeliveryState
from tests.concurrency.crowd import at_work
from tests.concurrency.deliveries import House
from tests.concurrency.lives import FATES, play, stories
from workflows.analytics.recount import differences, set_right

LIVES = 200
COPIES = 5
WORKERS = 2


# What the books say, whoever counted: sums of counters by what they should be. Nobody requests a group.
IN_THE_BOOKS = {
    "created": "SELECT count(*) FROM sessions",
    "started": "SELECT count(*) FROM sessions WHERE started_at IS NOT NULL",
    "completed": "SELECT count(*) FROM sessions WHERE status = 'completed'",
    "cancelled": "SELECT count(*) FROM sessions WHERE status = 'cancelled'",
    "late_cancellations": "SELECT count(*) FROM sessions WHERE (cancellation ->> 'late')::boolean",
    "minutes": "SELECT sum(extract(epoch FROM end_time - start_time) / 60) FROM sessions WHERE status = 'completed'",
    # No table has seats yet: these events are all there is of them.
    "seats_joined": "SELECT count(*) FROM events WHERE type = 'seat.joined'",
    "seats_left": "SELECT count(*) FROM events WHERE type = 'seat.left'",
    "requests": "SELECT count(*) FROM bookings WHERE kind = 'individual'",
    "requests_accepted": "SELECT count(*) FROM bookings WHERE kind = 'individual' AND status = 'accepted'",
    "requests_with_session": "SELECT count(*) FROM sessions WHERE mentee_user_id IS NOT NULL",
    "requests_completed": "SELECT count(*) FROM sessions WHERE mentee_user_id IS NOT NULL AND status = 'completed'",
    "requests_reviewed": "SELECT count(*) FROM reviews r JOIN sessions s ON s.id = r.session_id"
    " WHERE s.mentee_user_id IS NOT NULL",
}
TIMES_IN_THE_BOOKS = {
    "request_to_decision": "SELECT count(*) FROM bookings b JOIN listings l ON l.id = b.listing_id"
    " WHERE b.kind = 'individual' AND l.booking_mode = 'request' AND b.status IN ('accepted', 'declined')",
    "acceptance_to_session": "SELECT count(*) FROM sessions",
    "start_delay": "SELECT count(*) FROM sessions WHERE started_at IS NOT NULL",
    "length": "SELECT count(*) FROM sessions WHERE status = 'completed'",
}


def copies(effect: str) -> int:
    """How often an effect is delivered: those that count five times over, and once what makes what a step needs."""
    if effect.startswith("analytics."):
        return COPIES
    return int(effect in ("sessions.create", "reviews.unlock"))


def assert_counted_right(engine: Engine) -> None:
    with engine.begin() as db:
        assert differences(db) == []
        for table in ("daily_session_stats", "quarter_hour_session_stats"):
            sums = {name: db.scalar(text(f"SELECT coalesce(sum({name}), 0) FROM {table}")) for name in IN_THE_BOOKS}
            assert sums == {name: db.scalar(text(query)) or 0 for name, query in IN_THE_BOOKS.items()}, table
        counts = db.execute(text("SELECT transition::text, sum(count) FROM daily_transition_times GROUP BY 1"))
        found = {name: count for name, count in counts}
        right = {name: db.scalar(text(query)) for name, query in TIMES_IN_THE_BOOKS.items()}
        assert found == {name: count for name, count in right.items() if count}
        states = db.scalars(text("SELECT DISTINCT state::text FROM deliveries WHERE queue = 'analytics'")).all()
    assert states == [DeliveryState.DONE]


def test_the_books_are_asked_about_every_counter() -> None:
    assert set(IN_THE_BOOKS) == set(COUNTERS)


def bounded(examples: int) -> settings:
    """So many examples, others on every run, and none looked for that fails in fewer steps: each takes seconds.

    What failed says by which `@example(...)` above the test it comes again.
    """
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# The first example is always the simplest one, which is the same on every run, unless it stands for another one.
SEEDS = st.integers(min_value=0, max_value=2**32 - 1).map(partial(operator.xor, secrets.randbits(32)))


@given(seed=SEEDS)
@bounded(2)
def test_any_interleaving_of_200_lives_is_counted_right(engine: Engine, seed: int) -> None:
    note(f"@example(seed={seed})")
    chance = random.Random(seed)
    often = [chance.randrange(1, 10) for _ in FATES]
    live_and_count(engine, chance.choices(list(FATES), often, k=LIVES), chance)


@given(fates=st.lists(st.sampled_from(list(FATES)), min_size=1, max_size=12), seed=SEEDS)
@bounded(6)
def test_any_few_lives_are_counted_right(engine: Engine, fates: list[str], seed: int) -> None:
    note(f"@example(fates={fates}, seed={seed})")
    live_and_count(engine, fates, random.Random(seed))


def live_and_count(engine: Engine, fates: list[str], chance: random.Random) -> None:
    """Live while others count, and look; what the examples before this one left behind is counted as well."""
    with House(engine).transactions() as db:
        tales = stories(db, fates)
    with at_work(engine, WORKERS, copies=copies, chance=chance) as house:
        play(house, tales, chance)
    assert_counted_right(engine)


def test_a_recount_that_is_written_loses_and_doubles_nothing_while_workers_count(engine: Engine) -> None:
    quiet, chance = House(engine), random.Random(7)
    with quiet.transactions() as db:
        tales = stories(db, sorted(FATES) * 4)

    def spoil_and_mend() -> Generator[int, None, None]:
        while True:
            with quiet.transactions() as db:
                # Alone, since it changes all rows in an order of its own.
                db.execute(text("LOCK TABLE daily_session_stats IN SHARE ROW EXCLUSIVE MODE"))
                db.execute(text("UPDATE daily_session_stats SET created = created + 1, minutes = minutes + 1"))
            with quiet.transactions() as db:
                yield len(set_right(db))

    with (
        at_work(engine, WORKERS, copies=copies, chance=chance) as house,
        ThreadPoolExecutor(1) as threads,
    ):
        playing = threads.submit(play, house, tales, chance)
        mended = spoil_and_mend()
        found = 0
        while not playing.done():
            found += next(mended)
        playing.result()
        mended.close()
    # Whoever had to wait too long for the lock comes again.
    quiet.let_time_pass()
    for key in quiet.due():
        if copies(key.effect):
            quiet.deliverer.deliver(key)
    with quiet.transactions() as db:
        set_right(db)
    assert found > 0
    assert_counted_right(engine)
