"""Tests of looking all the time: at what changed, again at what was found, and once a day through everything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from time import monotonic
from typing import cast

import pytest
from sqlalchemy import Connection, delete, func, select, text, update

from infrastructure.transactions import Transactions
from models.bookings import bookings
from models.calendar import person_busy
from models.groups import group_sessions
from models.maintenance import maintenance_cursors, violations
from models.people import mentor_profiles
from models.sessions import sessions
from tests.factories import make_group_session, make_session
from tests.integration.harness import Harness, without_guards
from tests.queries import execute
from workers import maintain as maintaining
from workers.maintain import maintain
from workflows.invariants import continuous

Look = Callable[[Connection], object]


def look(harness: Harness, how: Look) -> object:
    with harness.transactions() as db:
        return how(db)


def known(harness: Harness) -> dict[str, int]:
    """How often each invariant is violated, as far as is known."""
    with harness.engine.connect() as db:
        return {found.name: found.violations for found in continuous.findings(db) if found.violations}


def spoil(harness: Harness, *, changed: timedelta) -> None:
    """Take the block of every booking away, and let the bookings have changed so long ago."""
    with harness.engine.begin() as db, without_guards(db):
        db.execute(delete(person_busy))
        for table in (bookings, sessions):
            db.execute(update(table).values(updated_at=func.now() - changed))


def mend(harness: Harness) -> None:
    with harness.engine.begin() as db, without_guards(db):
        db.execute(
            text(
                "INSERT INTO person_busy (id, user_id, mentor_profile_id, busy, booking_id)"
                " SELECT gen_random_uuid(), m.user_id, m.id,"
                "        tstzrange(start_time, end_time + buffer_minutes * interval '1 minute'), b.id"
                " FROM bookings b JOIN mentor_profiles m ON m.id = b.mentor_profile_id"
                " UNION ALL SELECT gen_random_uuid(), mentee_user_id, NULL, tstzrange(start_time, end_time), id"
                " FROM bookings WHERE mentee_user_id IS NOT NULL ON CONFLICT DO NOTHING"
            )
        )


def go_back(harness: Harness, by: timedelta) -> None:
    """Let everything have been looked at so much longer ago."""
    execute(harness.engine, update(maintenance_cursors).values(moment=maintenance_cursors.c.moment - by))


@pytest.fixture
def booked(harness: Harness) -> Harness:
    """A scheduled session that violates nothing; maintain has begun to look."""
    with harness.transactions() as db:
        make_session(db)
    look(harness, continuous.look_at_changes)
    return harness


def test_a_change_is_looked_at_once_it_has_settled(booked: Harness) -> None:
    spoil(booked, changed=timedelta(minutes=1))
    go_back(booked, timedelta(minutes=10))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {}, "transactions that began before it may still commit"
    spoil(booked, changed=timedelta(minutes=3))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {"open_session_without_block": 1}


def test_a_group_whose_seats_moved_is_looked_at(booked: Harness) -> None:
    with booked.transactions() as db:
        session = make_group_session(db, [])
    ago = func.now() - timedelta(minutes=3)
    with booked.engine.begin() as db, without_guards(db):
        # Its booking and session have been looked at long ago.
        for table in (bookings, sessions):
            db.execute(update(table).values(updated_at=func.now() - timedelta(days=1)))
        of_group = group_sessions.c.booking_id == session.booking_id
        db.execute(update(group_sessions).where(of_group).values(seats_taken=1, updated_at=ago))
    go_back(booked, timedelta(minutes=10))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {"group_seats_differ": 1}


def test_a_change_is_looked_at_again_an_hour_later(booked: Harness) -> None:
    go_back(booked, timedelta(minutes=30))
    with booked.engine.begin() as db, without_guards(db):
        db.execute(update(bookings).values(updated_at=func.now() - timedelta(minutes=10)))
    look(booked, continuous.look_at_changes)
    with booked.engine.begin() as db, without_guards(db):
        db.execute(delete(person_busy))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {}, "each change is looked at once by each look"
    with booked.engine.begin() as db, without_guards(db):
        later = timedelta(minutes=51)
        db.execute(update(bookings).values(updated_at=bookings.c.updated_at - later))
        db.execute(update(maintenance_cursors).values(moment=func.now() - timedelta(minutes=70)))
        soon = maintenance_cursors.c.name.contains("0:02:00 ago")
        db.execute(update(maintenance_cursors).where(soon).values(moment=func.now()))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {"open_session_without_block": 1}


def test_a_violation_is_remembered_until_it_is_mended(booked: Harness) -> None:
    go_back(booked, timedelta(minutes=10))
    spoil(booked, changed=timedelta(minutes=3))
    look(booked, continuous.look_at_changes)
    for _round in range(2):
        look(booked, continuous.look_at_changes)
        assert not look(booked, continuous.look_again), "what stays wrong is looked at once a round"
        assert known(booked) == {"open_session_without_block": 1}
    mend(booked)
    assert known(booked) == {"open_session_without_block": 1}
    look(booked, continuous.look_again)
    assert known(booked) == {}


def test_changes_come_page_by_page(booked: Harness) -> None:
    with booked.transactions() as db:
        for _booking in range(4):
            make_session(db)
    go_back(booked, timedelta(minutes=10))
    spoil(booked, changed=timedelta(minutes=3))
    looked = 1
    while look(booked, partial(continuous.look_at_changes, page=2)):
        looked += 1
    assert looked == 3
    assert known(booked) == {"open_session_without_block": 5}


def test_everything_is_looked_through_once_a_day(booked: Harness) -> None:
    page_of_one = partial(continuous.look_through, pages=dict.fromkeys(continuous.WHOLE_PAGES, 1))
    with booked.transactions() as db:
        make_session(db)

    def pages() -> int:
        count = 1
        while look(booked, page_of_one):
            count += 1
        return count

    spoil(booked, changed=timedelta(days=300))
    look(booked, continuous.look_at_changes)
    assert known(booked) == {}
    # Two bookings, two mentors and a page behind each, no bundles, no payments, and one look that finds nothing left.
    assert pages() == 3 + 3 + 1 + 1 + 1
    assert known(booked) == {"open_session_without_block": 2}
    mend(booked)
    assert not look(booked, page_of_one), "once a day"
    go_back(booked, timedelta(days=1))
    assert pages() == 9
    assert known(booked) == {}


def test_a_mentors_numbers_are_looked_at(booked: Harness) -> None:
    with booked.engine.begin() as db, without_guards(db):
        db.execute(update(mentor_profiles).values(rating_sum=9, review_count=2))
        db.execute(text("INSERT INTO session_count_changes (mentor_profile_id, counter, amount)"
                        " SELECT id, 'completed', 1 FROM mentor_profiles"))  # fmt: skip
    while look(booked, continuous.look_through):
        pass
    assert known(booked) == {"rating_differs_from_reviews": 1, "session_count_differs": 1}
    with booked.engine.begin() as db, without_guards(db):
        db.execute(update(mentor_profiles).values(rating_sum=0, review_count=0))
        db.execute(text("DELETE FROM session_count_changes WHERE counter = 'completed'"))
    look(booked, continuous.look_again)
    assert known(booked) == {}


def test_a_request_checks_the_latest_changes_anew(booked: Harness) -> None:
    def asked() -> dict[str, int]:
        with booked.engine.connect() as db:
            return {
                found.name: found.violations
                for found in continuous.findings(db, newest=continuous.NEWEST_CHANGES)
                if found.violations
            }

    spoil(booked, changed=timedelta(minutes=1))
    assert (known(booked), asked()) == ({}, {"open_session_without_block": 1})
    spoil(booked, changed=timedelta(minutes=3))
    go_back(booked, timedelta(minutes=10))
    look(booked, continuous.look_at_changes)
    assert known(booked) == asked() == {"open_session_without_block": 1}, "and counts nothing twice"
    mend(booked)
    assert (known(booked), asked()) == ({"open_session_without_block": 1}, {})


def test_a_request_checks_no_more_than_the_latest_changes(booked: Harness) -> None:
    with booked.transactions() as db:
        make_session(db)
    with booked.engine.begin() as db, without_guards(db):
        db.execute(delete(person_busy))
    with booked.engine.connect() as db:
        found = {
            found.name: found.violations
            for found in continuous.findings(db, newest=dict.fromkeys(continuous.NEWEST_CHANGES, 1))
        }
    assert found["open_session_without_block"] == 1


def test_a_request_counts_no_long_history_of_a_mentor(booked: Harness) -> None:
    def asked() -> int:
        with booked.engine.connect() as db:
            found = continuous.findings(db, newest=continuous.NEWEST_CHANGES)
            return sum(each.violations for each in found if each.name == "session_count_differs")

    one_more = text("INSERT INTO session_counts (mentor_profile_id, counter, amount)"
                    " SELECT id, 'completed', :more FROM mentor_profiles ON CONFLICT (mentor_profile_id, counter)"
                    " DO UPDATE SET amount = session_counts.amount + excluded.amount")  # fmt: skip
    with booked.engine.begin() as db, without_guards(db):
        db.execute(one_more, {"more": 1})
    assert asked() == 1
    with booked.engine.begin() as db, without_guards(db):
        db.execute(one_more, {"more": continuous.MAX_COUNTED})
    assert asked() == 0
    while look(booked, continuous.look_through):
        pass
    assert asked() == 1


def test_it_is_known_when_everything_was_checked(booked: Harness) -> None:
    def checked() -> datetime | None:
        with booked.engine.connect() as db:
            return continuous.looked_through_at(db)

    began = datetime.now(UTC)
    assert checked() is None
    while look(booked, continuous.look_through):
        pass
    first = checked()
    assert first is not None
    assert abs(first - began) < timedelta(minutes=1)
    go_back(booked, timedelta(days=1))
    while look(booked, continuous.look_through):
        pass
    again = checked()
    assert again is not None
    assert again - first < timedelta(minutes=1), "the latest one's beginning"


def test_two_concurrent_checks_do_not_wait_for_each_other(booked: Harness) -> None:
    go_back(booked, timedelta(minutes=10))
    spoil(booked, changed=timedelta(minutes=3))
    with booked.engine.begin() as first:
        first.execute(text("SET LOCAL lock_timeout = '1s'"))
        assert not continuous.look_at_changes(first)
        assert look(booked, continuous.look_at_changes) is False
        assert execute(booked.engine, select(violations)).all() == [], "no other check ran"
    assert known(booked) == {"open_session_without_block": 1}


def test_maintain_looks_through_everything_between_two_rounds(booked: Harness) -> None:
    spoil(booked, changed=timedelta(days=300))
    maintain(booked.transactions)
    assert known(booked) == {}
    maintaining.look_through(booked.transactions, Event(), until=monotonic() + 0.5, pause_seconds=0.0)
    assert known(booked) == {"open_session_without_block": 1}


def test_a_page_that_takes_long_is_followed_by_a_long_pause(booked: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pauses = [0.0], list[float | None]()

    class Passing(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            clock[0] += timeout or 0
            return False

    @contextmanager
    def slow() -> Iterator[Connection]:
        with booked.transactions() as db:
            yield db
        clock[0] += 0.5

    monkeypatch.setattr(maintaining, "monotonic", lambda: clock[0])
    maintaining.look_through(cast(Transactions, slow), Passing(), until=30.0)
    assert pauses == [1.0, 10.0, 10.0, 7.5]
