"""Reviews that are written, hidden and answered at once: each counts once, and the mentor's rating is always exact."""

from datetime import UTC, datetime
from functools import partial
from random import Random

from sqlalchemy import Connection, Engine, func, select

from models.audit import audit_entries
from models.events import events
from models.people import mentor_profiles
from models.reviews import review_permits, reviews
from tests import factories
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.queries import execute, scalars
from workflows.catalog.listings import Listing
from workflows.identity.actor import Actor
from workflows.invariants import check_all
from workflows.reviews.actions import ReviewableSession, answer_review, moderate, reviewable_query, submit
from workflows.reviews.permits import Permit
from workflows.reviews.records import Review
from workflows.sessions.records import Session, session_query


def _permits(engine: Engine, count: int, listing: Listing | None = None) -> list[Permit]:
    with engine.begin() as db:
        offer = listing or factories.make_listing(db)
        return [factories.make_permit(db, listing=offer) for _ in range(count)]


def _reviews(db: Connection, permit: Permit, *, rating: int = 5) -> Review:
    """As a request does: the session is read in the same transaction."""
    session = ReviewableSession.of(db.execute(reviewable_query(permit.session_id)).one())
    author = Actor.person(permit.mentee_user_id, None)
    return submit(db, actor=author, session=session, rating=rating, now=datetime.now(UTC))


def _hides(db: Connection, review: Review, *, hidden: bool, any_version: bool = False) -> Review:
    present = Review.of(db.execute(Review.by_id(review.id)).one())
    now = datetime.now(UTC)
    return moderate(
        db,
        actor=factories.OPERATOR,
        review=present,
        hidden=hidden,
        reason="A race",
        now=now,
        any_version=any_version,
    )


def _answers(db: Connection, review: Review) -> Review:
    session = Session.of(db.execute(session_query(review.session_id)).one())
    mentor = factories.mentor_of(session)
    return answer_review(db, actor=mentor, session=session, answer="Thank you", now=datetime.now(UTC))


def _rating(engine: Engine, mentor_profile_id: object) -> tuple[int, int]:
    columns = mentor_profiles.c
    with engine.begin() as db:
        query = select(columns.rating_sum, columns.review_count).where(columns.id == mentor_profile_id)
        rating_sum, review_count = db.execute(query).one()
        return rating_sum, review_count


def _violations(engine: Engine) -> dict[str, int]:
    wanted = ("rating_differs_from_reviews", "permit_without_attendance")
    with engine.begin() as db:
        return {finding.name: finding.violations for finding in check_all(db) if finding.name in wanted}


NONE = {"permit_without_attendance": 0, "rating_differs_from_reviews": 0}


def test_many_mentees_review_one_mentor_at_once_and_each_counts(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db)
    for number in range(1, 6):
        permits = _permits(engine, RACERS, listing)
        calls = [partial(_reviews, permit=each, rating=1 + place % 5) for place, each in enumerate(permits)]
        assert codes(race.transact(calls)) == []
        assert _rating(engine, listing.mentor_profile_id)[1] == number * RACERS
    assert _rating(engine, listing.mentor_profile_id)[0] == 5 * sum(1 + place % 5 for place in range(RACERS))
    assert _violations(engine) == NONE


def test_concurrent_unlocks_of_a_completion_write_each_permit_once(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        people = [factories.make_user(db) for _ in range(3)]
        listing = factories.make_listing(db)
        held = [factories.make_group_session(db, people, listing=listing) for _ in range(ROUNDS // 2)]
        completed = [factories.complete_session(db, session) for session in held]
    for session in completed:
        calls = [partial(factories.unlock_review, session=session, mentee_user_id=people[0].id)] * 5
        assert codes(race.transact(calls)) == []
        with engine.begin() as db:
            permits = db.scalars(
                select(review_permits.c.mentee_user_id).where(review_permits.c.session_id == session.id)
            ).all()
            recorded = db.scalars(
                select(events.c.data["mentee_user_id"].astext).where(
                    events.c.type == "review.unlocked", events.c.subject_id == session.id
                )
            ).all()
        assert sorted(map(str, permits)) == sorted(recorded) == sorted(str(person.id) for person in people)
    assert _violations(engine) == NONE


def test_of_several_clicks_one_is_a_review(engine: Engine, race: Race) -> None:
    for permit in _permits(engine, ROUNDS // 2):
        before = _rating(engine, permit.mentor_profile_id)
        outcomes = race.transact([partial(_reviews, permit=permit, rating=stars) for stars in (1, 2, 3, 4, 5)])
        assert codes(outcomes) == ["already_reviewed"] * 4
        (written,) = winners(outcomes)
        after = _rating(engine, permit.mentor_profile_id)
        assert (after[0] - before[0], after[1] - before[1]) == (written.rating, 1)
        assert scalars(engine, select(events.c.subject_id).where(events.c.type == "review.submitted")).all().count(
            written.id
        ) == 1  # fmt: skip
    assert _violations(engine) == NONE


def test_two_operators_hiding_at_once_hide_it_once(engine: Engine, race: Race) -> None:
    for permit in _permits(engine, ROUNDS // 2):
        with engine.begin() as db:
            review = factories.make_review(db, permit, rating=3)
        before = _rating(engine, permit.mentor_profile_id)
        outcomes = race.transact([partial(_hides, review=review, hidden=True)] * 2)
        # The second may have read the version before the first one's change.
        assert set(codes(outcomes)) <= {"stale"}
        after = _rating(engine, permit.mentor_profile_id)
        assert (before[0] - after[0], before[1] - after[1]) == (3, 1)
        with engine.begin() as db:
            noted = select(func.count()).where(audit_entries.c.subject_id == review.id)
            assert db.scalar(noted) == len(winners(outcomes))
    assert _violations(engine) == NONE


def test_without_a_version_the_last_moderation_wins(engine: Engine, race: Race) -> None:
    for permit in _permits(engine, ROUNDS // 2):
        with engine.begin() as db:
            review = factories.make_review(db, permit, rating=3)
        before = _rating(engine, permit.mentor_profile_id)
        decisions = [partial(_hides, review=review, hidden=hidden, any_version=True) for hidden in (True, False, True)]
        outcomes = race.transact([*decisions, partial(_answers, review=review)])
        assert set(codes(outcomes[:3])) == set()
        left = Review.of(execute(engine, Review.by_id(review.id)).one())
        assert left == max(winners(outcomes), key=lambda each: each.version)
        after = _rating(engine, permit.mentor_profile_id)
        assert (before[0] - after[0], before[1] - after[1]) == ((3, 1) if left.hidden else (0, 0))
    assert _violations(engine) == NONE


def test_a_review_is_answered_once_beside_its_hiding(engine: Engine, race: Race) -> None:
    for permit in _permits(engine, ROUNDS // 2):
        with engine.begin() as db:
            review = factories.make_review(db, permit)
        outcomes = race.transact([*[partial(_answers, review=review)] * 2, partial(_hides, review=review, hidden=True)])
        answers, (hiding,) = outcomes[:2], outcomes[2:]
        # Hidden before they looked, there is nothing to answer.
        assert set(codes(answers)) <= {"already_answered", "not_found"}
        assert len(winners(answers)) <= 1
        assert set(codes([hiding])) <= {"stale"}
        left = execute(engine, select(reviews.c.answer, reviews.c.hidden_at).where(reviews.c.id == review.id)).one()
        assert (left.answer is not None, left.hidden_at is not None) == (bool(winners(answers)), not codes([hiding]))
    assert _violations(engine) == NONE


def test_the_rating_is_exact_under_concurrent_reviews_and_moderation(engine: Engine, race: Race) -> None:
    random = Random(7)
    with engine.begin() as db:
        listing = factories.make_listing(db)
        mentor_id = listing.mentor_profile_id
    for _ in range(6):
        fresh = _permits(engine, RACERS // 2, listing)
        written = [Review.of(row) for row in execute(engine, Review.query())]
        calls = [partial(_reviews, permit=each, rating=random.randint(1, 5)) for each in fresh]
        chosen = random.choices(written, k=RACERS // 2) if written else []
        calls += [partial(_hides, review=each, hidden=random.random() < 0.6) for each in chosen]
        random.shuffle(calls)
        assert set(codes(race.transact(calls))) <= {"stale"}
        with engine.begin() as db:
            visible = select(func.coalesce(func.sum(reviews.c.rating), 0), func.count()).where(
                reviews.c.mentor_profile_id == mentor_id, reviews.c.hidden_at.is_(None)
            )
            counted = tuple(db.execute(visible).one())
        assert _rating(engine, mentor_id) == counted
    with engine.begin() as db:
        used = db.scalar(select(func.count()).select_from(reviews))
        assert used == db.scalar(select(func.count()).select_from(review_permits))
    assert _violations(engine) == NONE
