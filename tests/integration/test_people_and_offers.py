"""Tests of users, mentors and listings: who may create which, what is unique, and authentication."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from models.people import mentor_profiles
from tests.factories import OPERATOR, acting_mentor, acting_user, make_listing, make_mentor, make_user
from workflows.catalog.listings import change_listing, publish_listing
from workflows.constraints import error_of
from workflows.errors import Forbidden, Invalid, NotFound, Stale, Unauthenticated
from workflows.identity.actor import Actor, Claim, authenticate
from workflows.identity.people import (
    MENTORS,
    Mentor,
    User,
    mentor_query,
    publish_mentor_profile,
    register_user,
    user_query,
)
from workflows.paging import Page


def test_only_an_operator_registers_users(db: Connection) -> None:
    for actor in (acting_user(make_user(db)), acting_mentor(make_mentor(db)), Actor(name="system")):
        with pytest.raises(Forbidden):
            register_user(db, actor=actor, email="new@example.org", name="New", time_zone="UTC")


def test_a_user_lives_in_a_zone_that_exists(db: Connection) -> None:
    with pytest.raises(Invalid):
        make_user(db, time_zone="Mars/Olympus")
    assert make_user(db, time_zone="Asia/Kathmandu").time_zone == "Asia/Kathmandu"


@contextmanager
def refused(db: Connection, code: str) -> Iterator[None]:
    """The block violates a constraint that stands for that code."""
    with pytest.raises(IntegrityError) as violation, db.begin_nested():
        yield
    refusal = error_of(violation.value)
    assert refusal is not None
    assert refusal.code == code


def test_there_is_one_account_per_mail_address_whatever_its_case(db: Connection) -> None:
    make_user(db, email="Ada@Example.org")
    with refused(db, "email_taken"):
        make_user(db, email="aDA@example.ORG")


def test_a_user_is_read_with_their_mentor_profile(db: Connection) -> None:
    user = make_user(db)
    assert User.of(db.execute(user_query(user.id)).one()) == user
    mentor = make_mentor(db, user)
    assert User.of(db.execute(user_query(user.id)).one()).mentor_profile_id == mentor.id


def publish(db: Connection, actor: Actor, user: User, **changed: object) -> Mentor:
    """Publish a profile of that user."""
    offer = {"headline": "H", "bio": None, "time_zone": None, "skills": []}
    return publish_mentor_profile(db, actor=actor, user_id=user.id, **(offer | changed))  # type: ignore[arg-type]


def test_a_profile_is_published_by_its_user_or_an_operator(db: Connection) -> None:
    user, other = make_user(db), make_user(db)
    with pytest.raises(Forbidden):
        publish(db, acting_user(other), user)
    assert publish(db, acting_user(user), user).user_id == user.id
    assert publish(db, OPERATOR, other).user_id == other.id


def test_a_user_has_one_profile(db: Connection) -> None:
    user = make_user(db)
    publish(db, OPERATOR, user)
    with refused(db, "profile_exists"):
        publish(db, OPERATOR, user)


def test_a_profile_of_an_unknown_user_is_not_found(db: Connection) -> None:
    with pytest.raises(NotFound):
        publish_mentor_profile(db, actor=OPERATOR, user_id=uuid4(), headline="H", bio=None, time_zone=None, skills=[])


def test_a_profile_has_its_users_zone_and_distinct_skills(db: Connection) -> None:
    user = make_user(db, name="Grace", time_zone="Europe/Berlin")
    mentor = publish(db, OPERATOR, user, skills=["Go", " go ", "SQL"])
    assert (mentor.time_zone, mentor.skills, mentor.name) == ("Europe/Berlin", ["go", "sql"], "Grace")
    assert Mentor.of(db.execute(mentor_query(mentor.id)).one()) == mentor
    assert (mentor.rating, mentor.review_count) == (None, 0)
    with pytest.raises(Invalid):
        publish(db, OPERATOR, make_user(db), time_zone="Nowhere")


def test_active_mentors_are_found_by_skill_whatever_its_case(db: Connection) -> None:
    first, second, away = (make_mentor(db, skills=["Go"]) for _ in range(3))
    make_mentor(db, skills=["golang"])
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == away.id).values(active=False))
    assert [mentor.id for mentor in MENTORS.page(db, Page(), skills=["go"]).items] == [second.id, first.id]


def test_only_who_acts_as_a_mentor_publishes_listings(db: Connection) -> None:
    mentor = make_mentor(db)
    for actor in (acting_user(make_user(db)), Actor.person(mentor.user_id, None), OPERATOR):
        with pytest.raises(Forbidden):
            publish_listing(db, actor=actor, offer={"title": "T"})


def test_a_listing_has_the_default_policies_of_the_design(db: Connection) -> None:
    listing = make_listing(db)
    assert (listing.early_start_minutes, listing.min_notice_minutes, listing.buffer_minutes) == (15, 0, 0)
    assert (listing.cancellation_window_hours, listing.late_fee_percent) == (24, 50)
    assert (listing.booking_mode, listing.active, listing.version) == ("request", True, 1)


def test_a_listing_is_changed_by_its_mentor_and_version(db: Connection) -> None:
    mentor = make_mentor(db)
    listing = make_listing(db, mentor)
    with pytest.raises(Forbidden):
        change_listing(db, actor=acting_mentor(make_mentor(db)), listing=listing, changes={"title": "Mine"})
    changed = change_listing(db, actor=acting_mentor(mentor), listing=listing, changes={"title": "Two hours"})
    assert (changed.title, changed.version) == ("Two hours", 2)
    with pytest.raises(Stale):
        change_listing(db, actor=acting_mentor(mentor), listing=listing, changes={"title": "Old"})
    assert change_listing(db, actor=acting_mentor(mentor), listing=changed, changes={}) == changed


Claiming = Callable[[User, Mentor, Mentor], Claim]


@pytest.mark.parametrize(
    ("claim", "known"),
    [
        # A user is themselves.
        (lambda user, _own, _other: Claim(user_id=user.id), True),
        # With their own mentor profile they act as the mentor.
        (lambda user, own, _other: Claim(user_id=user.id, mentor_profile_id=own.id), True),
        # A mentor's id alone stands for the profile's user too.
        (lambda _user, own, _other: Claim(mentor_profile_id=own.id), True),
        # Another user's profile, and unknown ids.
        (lambda user, _own, other: Claim(user_id=user.id, mentor_profile_id=other.id), False),
        (lambda _user, _own, _other: Claim(user_id=uuid4()), False),
        (lambda user, _own, _other: Claim(user_id=user.id, mentor_profile_id=uuid4()), False),
        (lambda _user, _own, _other: Claim(mentor_profile_id=uuid4()), False),
        # No claim at all.
        (lambda _user, _own, _other: Claim(), False),
    ],
)
def test_a_claim_is_accepted_when_its_people_exist(db: Connection, claim: Claiming, known: bool) -> None:
    user, other = make_user(db), make_mentor(db)
    own = make_mentor(db, user)
    claimed = claim(user, own, other)
    if not known:
        with pytest.raises(Unauthenticated):
            authenticate(db, claimed)
        return
    actor = authenticate(db, claimed)
    assert (actor.user_id, actor.mentor_profile_id, actor.operator) == (user.id, claimed.mentor_profile_id, False)
    assert actor.name == (f"mentor:{own.id}" if claimed.mentor_profile_id else f"user:{user.id}")


def test_an_inactive_mentor_is_unauthenticated(db: Connection) -> None:
    mentor = make_mentor(db)
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(active=False))
    with pytest.raises(Unauthenticated):
        authenticate(db, Claim(mentor_profile_id=mentor.id))


def test_an_operator_needs_no_row(db: Connection) -> None:
    assert authenticate(db, Claim(operator="ops@night")) == Actor(operator=True, name="operator:ops@night")
