"""Tests of reviews below the API: permits and their events, guards, and the reviewer's public name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, select

from models.events import events
from models.people import mentor_profiles
from models.reviews import review_permits
from tests import factories
from tests.integration.harness import Harness, counted_statements
from tests.queries import execute
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Forbidden
from workflows.reviews.actions import ReviewableSession, moderate, reviewable_query, submit
from workflows.reviews.records import Review, shown_name
from workflows.sessions.records import Session


def unlocked(engine: Engine) -> dict[str, Any]:
    rows = execute(engine, select(events).where(events.c.type == "review.unlocked")).all()
    recorded = {row.data["mentee_user_id"]: row for row in rows}
    assert len(recorded) == len(rows)
    return recorded


@pytest.fixture
def group(harness: Harness) -> Session:
    """A group session of three people that has been completed, with nothing followed from that yet."""
    with harness.transactions() as db:
        people = [factories.make_user(db) for _ in range(3)]
        session = factories.make_group_session(db, people)
        return factories.complete_session(db, session, at=datetime(2030, 5, 4, 10, tzinfo=UTC))


def test_each_mentee_of_a_group_gets_one_permit_and_event(harness: Harness, group: Session) -> None:
    harness.run_all()
    recorded = unlocked(harness.engine)
    permits = {str(row.mentee_user_id): row for row in execute(harness.engine, select(review_permits))}
    assert set(recorded) == set(permits)
    assert len(recorded) == 3
    for mentee, event in recorded.items():
        assert (event.subject_type, event.subject_id, event.actor) == ("session", group.id, "system")
        assert datetime.fromisoformat(event.data["expires_at"]) == permits[mentee].expires_at
        assert permits[mentee].expires_at == datetime(2030, 5, 4, 10, tzinfo=UTC) + timedelta(days=30)
    key = harness.key("reviews.unlock")
    harness.change(key, state="pending", done_at=None)
    harness.make_due(key)
    harness.deliver("reviews.unlock")
    assert harness.row(key).state == "done"
    assert unlocked(harness.engine).keys() == recorded.keys()


def test_an_existing_permit_records_no_event(harness: Harness, group: Session) -> None:
    harness.run_all()
    first = unlocked(harness.engine)
    with harness.transactions() as db:
        mentee = db.execute(reviewable_query(group.id)).one().mentees[0]
        db.execute(delete(review_permits).where(review_permits.c.mentee_user_id == mentee))
        factories.unlock_review(db, group, mentee)
    with harness.engine.connect() as db:
        recorded = db.scalars(select(events.c.data["mentee_user_id"].astext).where(events.c.type == "review.unlocked"))
        assert sorted(recorded) == sorted([*first, str(mentee)])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada L."),
        ("Alan Mathison Turing", "Alan T."),
        ("  Grace   Hopper ", "Grace H."),
        ("Plato", "Plato"),
        ("Ångström Öhman", "Ångström Ö."),
        ("李 小龙", "李 小."),
    ],
)
def test_a_reviewer_is_shown_by_first_name_and_initial(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_only_mentees_review_and_only_operators_moderate(db: Connection) -> None:
    permit = factories.make_permit(db)
    session = ReviewableSession.of(db.execute(reviewable_query(permit.session_id)).one())
    now = datetime.now(UTC)
    for actor in (factories.mentor_of(session), factories.OPERATOR):
        with pytest.raises(Forbidden):
            submit(db, actor=actor, session=session, rating=5, now=now)
    review = factories.make_review(db, permit)
    author = Actor.person(permit.mentee_user_id, None)
    with pytest.raises(Forbidden):
        moderate(db, actor=author, review=review, hidden=True, reason="Mine", now=now)
    assert Review.of(db.execute(Review.by_id(review.id)).one()) == review


def test_a_refused_review_counts_nothing(db: Connection) -> None:
    permit = factories.make_permit(db)
    factories.make_review(db, permit, rating=2)
    rated = select(mentor_profiles.c.rating_sum, mentor_profiles.c.review_count, mentor_profiles.c.version).where(
        mentor_profiles.c.id == permit.mentor_profile_id
    )
    before = db.execute(rated).one()
    with pytest.raises(Conflict, match="already"):
        factories.make_review(db, permit, rating=5)
    assert db.execute(rated).one() == before
    assert tuple(before) == (2, 1, 2)


def test_a_review_is_two_statements(db: Connection) -> None:
    permit = factories.make_permit(db)
    session = ReviewableSession.of(db.execute(reviewable_query(permit.session_id)).one())
    author = Actor.person(permit.mentee_user_id, None)
    with counted_statements(db) as statements:
        submit(db, actor=author, session=session, rating=5, now=datetime.now(UTC))
    assert len(statements) == 2
