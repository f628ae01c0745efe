"""What a mentee can choose from for a course: mentors with listings, products, and the groups that can be joined."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from models.catalog import ProductKind, listings
from models.groups import group_sessions
from models.people import mentor_profiles
from tests import factories
from tests.api.conftest import Cast
from tests.application import World
from tests.statements import statements_of
from workflows.catalog.courses import Course
from workflows.groups.support_options import MAX_GROUP_SESSIONS

USD_40 = {"amount": 4000, "currency": "USD"}


def test_a_course_without_anything_has_empty_options(world: World, cast: Cast, course: Course) -> None:
    answer = world.client.get(f"/courses/{course.id}/support-options", headers=cast.as_mentee)
    shown = world.client.get(f"/courses/{course.id}", headers=cast.as_mentee).json
    assert (answer.status_code, answer.json) == (
        200,
        {"course": shown, "mentors": [], "products": [], "groupSessions": []},
    )


def test_who_teaches_it_is_shown_with_the_listings_of_it(world: World, cast: Cast, course: Course) -> None:
    with world.engine.begin() as db:
        hour = factories.make_listing(db, cast.mentor, course_id=course.id)
        half = factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=30, price_amount=2000)
        best = factories.make_listing(db, cast.other_mentor, course_id=course.id)
        gone, off = (factories.make_listing(db, course_id=course.id) for _ in range(2))
        rated = {"rating_sum": 9, "review_count": 2}
        mentor = mentor_profiles.c.id
        db.execute(update(mentor_profiles).where(mentor == cast.other_mentor.id).values(rated))
        db.execute(update(mentor_profiles).where(mentor == gone.mentor_profile_id).values(active=False))
        db.execute(update(listings).where(listings.c.id == off.id).values(active=False))
    options = world.client.get(f"/courses/{course.id}/support-options", headers=cast.as_mentee).json
    hopper = {"name": "Grace Hopper", "headline": "Mentor"}
    assert options["mentors"] == [
        {
            "id": str(cast.other_mentor.id),
            **hopper,
            "rating": 4.5,
            "reviewCount": 2,
            "listings": [{"id": str(best.id), "durationMinutes": 60, "price": USD_40}],
        },
        {
            "id": str(cast.mentor.id),
            **hopper,
            "rating": None,
            "reviewCount": 0,
            "listings": [
                {"id": str(half.id), "durationMinutes": 30, "price": {"amount": 2000, "currency": "USD"}},
                {"id": str(hour.id), "durationMinutes": 60, "price": USD_40},
            ],
        },
    ]


@pytest.mark.parametrize("who", ["mentee", "mentor", "operator"])
def test_products_are_those_on_sale(world: World, cast: Cast, course: Course, who: str) -> None:
    with world.engine.begin() as db:
        single = factories.make_product(db, course)
        bundle = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5)
        factories.make_product(db, course, active=False)
        factories.make_product(db, factories.make_course(db))
    options = world.client.get(f"/courses/{course.id}/support-options", headers=getattr(cast, f"as_{who}")).json
    assert [product["id"] for product in options["products"]] == [str(bundle.id), str(single.id)]


def test_groups_are_the_next_that_can_be_joined(world: World, cast: Cast, course: Course) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, course_id=course.id)
        full, over, cancelled = (factories.make_group(db, [cast.stranger], listing=listing) for _ in range(3))
        later, sooner = (
            factories.make_group(db, [], listing=listing, start_time=factories.this_hour() + timedelta(days=days))
            for days in (400, 300)
        )
        factories.make_group(db, [])
        seats = group_sessions.c.booking_id
        db.execute(update(group_sessions).where(seats == full.id).values(capacity=1))
        db.execute(update(group_sessions).where(seats == cancelled.id).values(cancelled_at=cancelled.created_at))
    path = f"/courses/{course.id}/support-options"
    shown = world.client.get(path, headers=cast.as_stranger).json["groupSessions"]
    assert [group["id"] for group in shown] == [str(over.id), str(sooner.id), str(later.id)]
    assert [group["joined"] for group in shown] == [True, False, False]


def test_at_most_twenty_groups_are_shown_and_few_statements_made(world: World, cast: Cast, course: Course) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, course_id=course.id)
        for _ in range(MAX_GROUP_SESSIONS + 1):
            factories.make_group(db, [], listing=listing)
    with statements_of(world.engine) as made:
        answer = world.client.get(f"/courses/{course.id}/support-options", headers=cast.as_mentee)
    assert len(answer.json["groupSessions"]) == MAX_GROUP_SESSIONS
    assert len(made.statements) == 5, "the caller, the course, its products, groups and mentors"


def test_options_of_what_is_no_course_are_not_found(world: World, cast: Cast) -> None:
    for course_id in (uuid4(), "no-id"):
        answer = world.client.get(f"/courses/{course_id}/support-options", headers=cast.as_mentee)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
