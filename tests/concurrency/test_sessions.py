"""Two steps of one session at once: one is taken, the other one is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, select

from models.events import events
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from workflows.identity.actor import Actor
from workflows.sessions.session import Session, session_query
from workflows.sessions.steps import complete, create, start

Step = Callable[..., Session]


def _mentor_starts(db: Connection, session: Session) -> Session:
    return factories.start_session(db, session)


def _mentee_starts(db: Connection, session: Session) -> Session:
    assert session.mentee_user_id is not None
    mentee = Actor.person(session.mentee_user_id, None)
    return start(db, actor=mentee, session=session, early_start_minutes=None, now=datetime.now(UTC))


def _mentor_completes(db: Connection, session: Session) -> Session:
    """As a request does: the session is read in the same transaction, whatever it is by then."""
    present = Session.of(db.execute(session_query(session.id)).one())
    return complete(db, actor=factories.mentor_of(present), session=present, now=datetime.now(UTC))


STEPS: Mapping[str, Step] = {
    "mentor starts": _mentor_starts,
    "mentee starts": _mentee_starts,
    "mentor completes": _mentor_completes,
}


@pytest.mark.parametrize(("one", "other"), [("mentor starts", "mentor starts"), ("mentor starts", "mentee starts")])
def test_of_two_starts_at_once_one_is_made(engine: Engine, race: Race, one: str, other: str) -> None:
    for session in _scheduled(engine):
        outcomes = race.transact([partial(STEPS[one], session=session), partial(STEPS[other], session=session)])
        assert codes(outcomes) == ["invalid_transition"]
        assert _steps_of(engine, session) == ["session.started"]
        assert _present(engine, session) == winners(outcomes)[0]


def test_of_two_completions_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        with engine.begin() as db:
            started = factories.start_session(db, session)
        outcomes = race.transact([partial(_mentor_completes, session=started)] * 2)
        assert codes(outcomes) == ["invalid_transition"]
        assert _steps_of(engine, session) == ["session.started", "session.completed"]


def test_a_completion_beside_a_start_follows_or_is_refused(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        outcomes = race.transact(
            [partial(_mentee_starts, session=session), partial(_mentor_completes, session=session)]
        )
        assert codes(outcomes) in ([], ["invalid_transition"])
        taken = ["session.started", "session.completed"][: len(winners(outcomes))]
        assert _steps_of(engine, session) == taken
        assert _present(engine, session).status == ("in_progress" if len(taken) == 1 else "completed")


def _scheduled(engine: Engine) -> list[Session]:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        accepted = [
            factories.accept_booking(db, factories.make_booking(db, listing=listing, mentee=mentee))
            for _ in range(ROUNDS)
        ]
        return [create(db, booking_id=booking.id) for booking in accepted]


def _steps_of(engine: Engine, session: Session) -> list[str]:
    """The types of the session's events in their order."""
    with engine.begin() as db:
        return list(db.scalars(select(events.c.type).where(events.c.subject_id == session.id).order_by("sequence")))


def _present(engine: Engine, session: Session) -> Session:
    with engine.begin() as db:
        return Session.of(db.execute(session_query(session.id)).one())
