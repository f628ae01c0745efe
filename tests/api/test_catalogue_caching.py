"""Caching of the catalogue: each read is kept by its caller, and confirmed only while nothing of it has changed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from models.catalog import listings
from models.people import mentor_profiles, users
from tests import factories
from tests.api.conftest import Cast
from tests.application import World
from workflows.catalog.courses import Course
from workflows.catalog.products import Product
from workflows.reviews.records import Review

CALLER = {"Authorization", "X-User-Id", "X-Mentor-Profile-Id", "On-Behalf-Of"}


def paths(cast: Cast, course: Course, product: Product, review: Review) -> list[str]:
    return [
        "/courses",
        "/courses?q=algebra",
        f"/courses/{course.id}",
        f"/courses/{course.id}/products",
        f"/courses/{course.id}/products/{product.id}",
        f"/courses/{course.id}/support-options",
        "/skills",
        "/mentors",
        "/mentors?sort=rating",
        f"/mentors/{cast.mentor.id}",
        f"/mentors/{cast.mentor.id}/reviews",
        "/listings",
        f"/listings/{cast.listing.id}",
        f"/reviews/{review.id}",
        "/docs",
        "/openapi.json",
    ]


def test_reads_of_the_catalogue_are_kept_and_confirmed(
    world: World, cast: Cast, course: Course, product: Product, reviewed: Review
) -> None:
    for path in paths(cast, course, product, reviewed):
        for root in ("", "/api"):
            first = world.client.get(f"{root}{path}", headers=cast.as_mentee)
            assert (first.status_code, first.headers["Cache-Control"]) == (200, "private, no-cache"), path
            assert set(first.vary) >= CALLER
            held = {"If-None-Match": first.headers["ETag"]}
            again = world.client.get(f"{root}{path}", headers=cast.as_mentee | held)
            assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"]), path
            assert again.headers["Cache-Control"] == "private, no-cache"
            other = world.client.get(f"{root}{path}", headers=cast.as_mentee | {"If-None-Match": '"other"'})
            assert (other.status_code, other.data) == (200, first.data), path
            head = world.client.head(f"{root}{path}", headers=cast.as_mentee)
            assert (head.headers["ETag"], head.data) == (first.headers["ETag"], b"")


def add_course(db: Any, _course: Course, _cast: Cast) -> None:
    factories.make_course(db, title="Algebra again")


def add_product(db: Any, course: Course, _cast: Cast) -> None:
    factories.make_product(db, course)


def add_listing(db: Any, course: Course, cast: Cast) -> None:
    factories.make_listing(db, cast.other_mentor, course_id=course.id)


def rename(db: Any, _course: Course, cast: Cast) -> None:
    db.execute(update(users).where(users.c.id == cast.mentor.user_id).values(name="Rear Admiral Hopper"))


def rate(db: Any, _course: Course, cast: Cast) -> None:
    rated = {"rating_sum": 9, "review_count": 2}
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == cast.mentor.id).values(rated))


def leave(db: Any, _course: Course, cast: Cast) -> None:
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == cast.mentor.id).values(active=False))


def learn(db: Any, _course: Course, cast: Cast) -> None:
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == cast.mentor.id).values(skills=["go"]))


def raise_price(db: Any, course: Course, _cast: Cast) -> None:
    db.execute(update(listings).where(listings.c.course_id == course.id).values(price_amount=4001))


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (add_course, ["/courses", "/courses?q=algebra"]),
        (add_product, ["/courses/{}/products", "/courses/{}/support-options"]),
        (add_listing, ["/listings", "/courses/{}/support-options", "/courses?durationMinutes=60"]),
        (rename, ["/mentors", "/mentors?sort=rating", "/mentors/{mentor}", "/courses/{}/support-options"]),
        (rate, ["/mentors", "/mentors?sort=rating", "/mentors/{mentor}", "/courses/{}/support-options"]),
        (leave, ["/mentors", "/mentors/{mentor}", "/courses/{}/support-options", "/listings"]),
        (learn, ["/skills", "/mentors", "/mentors/{mentor}", "/mentors?skill=go"]),
        (raise_price, ["/courses/{}/support-options", "/mentors?maxPrice=4000&durationMinutes=30", "/listings"]),
    ],
)
def test_no_reader_who_asks_again_sees_what_was(
    world: World, cast: Cast, course: Course, change: Callable[..., None], changed: list[str]
) -> None:
    with world.engine.begin() as db:
        db.execute(update(listings).where(listings.c.id == cast.listing.id).values(duration_minutes=90))
        factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=30)
    asked = [path.format(course.id, mentor=cast.mentor.id) for path in changed]
    held = {path: world.client.get(path, headers=cast.as_mentee).headers["ETag"] for path in asked}
    with world.engine.begin() as db:
        change(db, course, cast)
    for path, tag in held.items():
        answer = world.client.get(path, headers=cast.as_mentee | {"If-None-Match": tag})
        assert (answer.status_code, answer.headers["ETag"] != tag) == (200, True), path


def test_callers_with_other_views_hold_other_tags(world: World, cast: Cast, course: Course) -> None:
    with world.engine.begin() as db:
        factories.make_product(db, course)
        factories.make_product(db, course, active=False)
    path = f"/courses/{course.id}/products"
    mentees, operators = (world.client.get(path, headers=who) for who in (cast.as_mentee, cast.as_operator))
    assert mentees.headers["ETag"] != operators.headers["ETag"]
    held = {"If-None-Match": mentees.headers["ETag"]}
    assert world.client.get(path, headers=cast.as_operator | held).status_code == 200
