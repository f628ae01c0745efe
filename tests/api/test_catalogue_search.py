"""Searching courses and mentors: words, skills, prices and durations; the orders of mentors; skills with counts."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from models.availability import time_off
from models.calendar import person_busy
from models.catalog import BookingMode, listings
from models.people import mentor_profiles, skills, users
from tests import factories
from tests.api.conftest import Cast
from tests.application import World, as_mentor, as_user
from tests.queries import execute, scalars
from workflows.accounts.records import Mentor
from workflows.catalog.mentors import MAX_ORDERED_BY_FREE_TIME

NOW = datetime.now(UTC)


def found(world: World, cast: Cast, path: str, **query: Any) -> list[str]:
    """The ids on all pages of two, each of them once."""
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = world.client.get(path, query_string=query | page, headers=cast.as_mentee)
        assert answer.status_code == 200, answer.json
        ids += [item["id"] for item in answer.json["items"]]
        cursor = answer.json["nextCursor"]
    assert len(ids) == len(set(ids))
    return ids


def ids_of(*records: Any) -> list[str]:
    return [str(record.id) for record in records]


@pytest.fixture
def empty(engine: Engine, cast: Cast) -> Cast:
    """The cast, without mentors and listings that a search could find."""
    with engine.begin() as db:
        db.execute(update(mentor_profiles).values(active=False))
        db.execute(update(listings).values(active=False))
    return cast


def rate(db: Connection, mentor: Mentor, *ratings: int) -> None:
    rated = {"rating_sum": sum(ratings), "review_count": len(ratings)}
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(rated))


def block(db: Connection, mentor: Mentor, start: datetime, end: datetime) -> None:
    busy = text(f"tstzrange('{start.isoformat()}', '{end.isoformat()}')")
    hold = {"id": uuid4(), "hold_id": uuid4(), "expires_at": end, "held_start": start, "held_end": end}
    hold["held_by_user_id"] = mentor.user_id
    db.execute(insert(person_busy).values(mentor_profile_id=mentor.id, user_id=mentor.user_id, busy=busy, **hold))


def test_courses_are_found_by_words_of_title_and_description(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        algebra = factories.make_course(db, title="Linear algebra I")
        vectors = factories.make_course(db, title="Vectors")
        cafe = factories.make_course(db, title="Café Français, Éducation & TCP/IP with Node.js")
        words = text("UPDATE courses SET description = 'Basics of linear algebra' WHERE id = :id")
        db.execute(words, {"id": vectors.id})
    for q, expected in {
        "linear": [algebra, vectors],
        "LINEAR Alg": [algebra, vectors],
        "algebra linear": [algebra, vectors],
        "vec": [vectors],
        "vector linear": [vectors],
        "cafe francais": [cafe],
        "ÉDUCATION": [cafe],
        "education": [cafe],
        "ip tcp": [cafe],
        "node.js": [cafe],
        "js": [cafe],
        "near": [],
        "linear chess": [],
        "!?'&|:*\\": [],
        "' or 1=1 --": [],
        "  ": [cafe, vectors, algebra],
        "": [cafe, vectors, algebra],
    }.items():
        assert found(world, cast, "/courses", q=q) == ids_of(*expected), q


def test_whole_words_and_titles_are_found_first(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        whole = factories.make_course(db, title="Go for beginners")
        begun = factories.make_course(db, title="Gothic architecture")
        inside = factories.make_course(db, title="Programming")
        db.execute(text("UPDATE courses SET description = 'In Go.' WHERE id = :id"), {"id": inside.id})
    assert found(world, cast, "/courses", q="go")[0] == str(whole.id)
    assert set(found(world, cast, "/courses", q="go")) == set(ids_of(whole, begun, inside))


def test_a_changed_title_is_found_and_the_former_one_is_not(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db, title="Algebra")
    path = f"/courses/{course.id}"
    world.client.patch(path, json={"title": "Chess"}, headers=cast.as_operator)
    assert found(world, cast, "/courses", q="chess") == ids_of(course)
    assert found(world, cast, "/courses", q="algebra") == []
    world.client.patch(path, json={"active": False}, headers=cast.as_operator)
    assert found(world, cast, "/courses", q="chess") == []


def test_courses_are_filtered_by_one_offer_for_which_all_holds(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        algebra, chess, _unoffered = (factories.make_course(db, title=title) for title in ("Algebra", "Chess", "Go"))
        gopher, other = factories.make_mentor(db, skills=["go"]), factories.make_mentor(db, skills=["chess"])
        factories.make_listing(db, gopher, course_id=algebra.id, duration_minutes=30, price_amount=2000)
        factories.make_listing(db, gopher, course_id=algebra.id, duration_minutes=60, price_amount=4000)
        factories.make_listing(db, other, course_id=chess.id, duration_minutes=60, price_amount=2000)
        yen = factories.make_listing(
            db, other, course_id=chess.id, duration_minutes=90, price_amount=900, price_currency="JPY"
        )
    for query, expected in (
        ({"skill": "go"}, [algebra]),
        ({"skill": " GO "}, [algebra]),
        ({"skill": "rust"}, []),
        ({"maxPrice": 2000}, [chess, algebra]),
        ({"maxPrice": 1999}, [chess]),
        ({"maxPrice": 1999, "currency": "USD"}, []),
        ({"currency": "JPY"}, [chess]),
        ({"durationMinutes": 60}, [chess, algebra]),
        ({"durationMinutes": 45}, []),
        # The half hour is cheap enough, and the hour is an hour; but there is no cheap hour of it.
        ({"durationMinutes": 60, "maxPrice": 2000}, [chess]),
        ({"durationMinutes": 30, "maxPrice": 2000, "skill": "go", "currency": "USD", "q": "alg"}, [algebra]),
        ({"q": "chess", "skill": "go"}, []),
    ):
        assert found(world, empty, "/courses", **query) == ids_of(*expected), query
    world.client.patch(f"/listings/{yen.id}", json={"active": False}, headers=as_mentor(other))
    assert found(world, empty, "/courses", currency="JPY") == []


@pytest.mark.parametrize("path", ["/courses", "/mentors"])
@pytest.mark.parametrize(
    "query",
    [
        {"maxPrice": "-1"},
        {"maxPrice": "1.5"},
        {"maxPrice": "9" * 17},
        {"maxPrice": ""},
        {"currency": "usd"},
        {"currency": "XXX"},
        {"durationMinutes": "4"},
        {"durationMinutes": "1441"},
        {"skill": ""},
        {"q": "x" * 201},
        {"q": "a\x00"},
        {"sort": "age"},
        {"nonsense": "1"},
    ],
)
def test_a_malformed_filter_is_refused(world: World, cast: Cast, path: str, query: dict[str, str]) -> None:
    answer = world.client.get(path, query_string=query, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert set(answer.json["details"]) == set(query)


def test_a_cursor_belongs_to_its_filters_and_order(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        for _ in range(3):
            factories.make_course(db, title="Algebra")
    for path, query, others in (
        ("/courses", {"q": "alg"}, [{}, {"q": "algebra"}, {"q": "alg", "maxPrice": "1"}]),
        ("/mentors", {"sort": "rating"}, [{}, {"sort": "next"}, {"sort": "price"}, {"sort": "rating", "skill": "x"}]),
    ):
        first = world.client.get(path, query_string=query | {"limit": "1"}, headers=cast.as_mentee).json
        assert first["nextCursor"]
        for other in others:
            moved = other | {"cursor": first["nextCursor"]}
            assert world.client.get(path, query_string=moved, headers=cast.as_mentee).status_code == 400


def test_mentors_are_found_by_name_skills_headline_and_bio(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        grace = factories.make_mentor(db, skills=["compilers", "linear algebra"])
        ada = factories.make_mentor(db, factories.make_user(db, name="Ada Lovelace"), skills=["poetry"])
        bio = {"bio": "Worked on the analytical engine.", "headline": "Countess"}
        db.execute(update(mentor_profiles).where(mentor_profiles.c.id == ada.id).values(bio))
    for q, expected in {
        "grace": [grace],
        "hopper grace": [grace],
        "ada poet": [ada],
        "countess": [ada],
        "engine": [ada],
        "linear": [grace],
        "grace poetry": [],
    }.items():
        assert found(world, empty, "/mentors", q=q) == ids_of(*expected), q
    assert found(world, empty, "/mentors", q="a", skill="poetry") == ids_of(ada)


def test_a_new_name_is_found_and_changes_the_profiles_tag(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        mentor = factories.make_mentor(db)
    path = f"/mentors/{mentor.id}"
    held = world.client.get(path, headers=empty.as_mentee).headers["ETag"]
    execute(world.engine, update(users).where(users.c.id == mentor.user_id).values(name="Katherine Johnson"))
    assert found(world, empty, "/mentors", q="katherine") == ids_of(mentor)
    assert found(world, empty, "/mentors", q="grace") == []
    answer = world.client.get(path, headers=empty.as_mentee | {"If-None-Match": held})
    assert (answer.status_code, answer.json["name"]) == (200, "Katherine Johnson")


def test_mentors_are_filtered_by_course_price_and_duration(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db)
        teaches, cheap, inactive = (factories.make_mentor(db) for _ in range(3))
        factories.make_listing(db, teaches, course_id=course.id)
        factories.make_listing(db, cheap, price_amount=100, duration_minutes=30)
        offered = factories.make_listing(db, inactive, course_id=course.id)
        db.execute(update(listings).where(listings.c.id == offered.id).values(active=False))
    for query, expected in (
        ({}, [inactive, cheap, teaches]),
        ({"courseId": course.id}, [teaches]),
        ({"courseId": uuid4()}, []),
        ({"maxPrice": 100}, [cheap]),
        ({"maxPrice": 4000}, [cheap, teaches]),
        ({"durationMinutes": 60}, [teaches]),
        ({"courseId": course.id, "maxPrice": 100}, []),
    ):
        assert found(world, empty, "/mentors", **query) == ids_of(*expected), query


def test_mentors_are_ordered_by_rating_then_by_reviews(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        none, often, once, low, good = (factories.make_mentor(db) for _ in range(5))
        rate(db, often, 5, 5, 5)
        rate(db, once, 5)
        rate(db, low, 1)
        rate(db, good, 4, 5)
    assert found(world, empty, "/mentors", sort="rating") == ids_of(often, once, good, low, none)
    assert found(world, empty, "/mentors", sort="rating", q="grace") == ids_of(often, once, good, low, none)


def test_mentors_are_ordered_by_the_lowest_price_that_fits(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db)
        first, second, third, _without = (factories.make_mentor(db) for _ in range(4))
        for mentor, prices in ((first, (900, 100)), (second, (200, 800)), (third, (300,))):
            for number, price in enumerate(prices):
                factories.make_listing(
                    db, mentor, price_amount=price, duration_minutes=30 + number, course_id=course.id
                )
        db.execute(update(listings).where(listings.c.price_amount == 300).values(price_currency="EUR"))
    # EUR comes before USD: amounts of different currencies are not compared.
    assert found(world, empty, "/mentors", sort="price") == ids_of(third, first, second)
    assert found(world, empty, "/mentors", sort="price", durationMinutes=30) == ids_of(third, second, first)
    assert found(world, empty, "/mentors", sort="price", currency="EUR") == ids_of(third)
    assert found(world, empty, "/mentors", sort="price", maxPrice=250) == ids_of(first, second)
    assert found(world, empty, "/mentors", sort="price", courseId=course.id, q="grace") == ids_of(third, first, second)


def set_hours(world: World, mentor: Mentor, zone: str, *spans: tuple[int, str, str]) -> None:
    hours = [{"weekday": day, "startTime": opens, "endTime": closes} for day, opens, closes in spans]
    body = {"timeZone": zone, "hours": hours}
    answer = world.client.put(f"/mentors/{mentor.id}/hours", json=body, headers=as_mentor(mentor))
    assert answer.status_code == 200


def make_free_mentor(db: Connection, **terms: Any) -> Mentor:
    """A mentor who can be booked for half an hour at any time."""
    mentor = factories.make_mentor(db)
    factories.make_listing(db, mentor, **{"duration_minutes": 30, "booking_mode": BookingMode.INSTANT, **terms})
    return mentor


def test_mentors_are_ordered_by_their_next_slot(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        busy_long, rated, free, in_two_days, busy_short, gone, noticed = (make_free_mentor(db) for _ in range(7))
        without_listing = factories.make_mentor(db)
        factories.make_listing(db, noticed, duration_minutes=15, min_notice_minutes=72 * 60)
        rate(db, rated, 4)
        rate(db, without_listing, 1)
        block(db, busy_short, NOW - timedelta(hours=1), NOW + timedelta(minutes=60))
        block(db, busy_long, NOW - timedelta(hours=1), NOW + timedelta(hours=2))
        # Without a gap that is long enough.
        block(db, busy_long, NOW + timedelta(hours=2, minutes=40), NOW + timedelta(hours=5))
        block(db, gone, NOW - timedelta(hours=1), NOW + timedelta(days=60))
        # A hold that has expired blocks nothing.
        block(db, free, NOW - timedelta(hours=2), NOW - timedelta(hours=1))
    later = NOW + timedelta(days=2)
    set_hours(world, in_two_days, "UTC", (later.weekday(), "00:00", "24:00"))
    ordered = ids_of(rated, free, busy_short, busy_long, in_two_days, noticed, without_listing, gone)
    assert found(world, empty, "/mentors", sort="next") == ordered
    assert found(world, empty, "/mentors", sort="next", q="grace") == ordered
    # By the listing that is asked for, which the others do not have.
    assert found(world, empty, "/mentors", sort="next", durationMinutes=15) == ids_of(noticed)


def test_accepted_bookings_are_not_free(world: World, empty: Cast) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    with world.engine.begin() as db:
        booked, free = make_free_mentor(db), make_free_mentor(db)
        rate(db, booked, 5)
        listing = factories.make_listing(db, booked, duration_minutes=180, booking_mode=BookingMode.INSTANT)
        factories.make_booking(db, listing=listing, start_time=start)
        for mentor in (booked, free):
            block(db, mentor, NOW - timedelta(hours=1), start)
    assert found(world, empty, "/mentors", sort="next") == ids_of(free, booked)


def test_the_next_free_time_is_the_first_slot(world: World, empty: Cast) -> None:
    """Mentors with hours in their zones, dates, rules, time off and sessions are ordered as their slots are."""
    random = Random(7)
    first: dict[str, datetime] = {}
    with world.engine.begin() as db:
        made = [make_free_mentor(db, min_notice_minutes=random.choice([0, 600])) for _ in range(12)]
    for number, mentor in enumerate(made):
        if number % 4:
            opens = [random.randrange(0, 20) for _ in range(7)]
            week = [(day, f"{hour:02}:15", f"{hour + 3:02}:00") for day, hour in enumerate(opens)]
            set_hours(world, mentor, random.choice(["Pacific/Auckland", "America/Winnipeg", "Asia/Kathmandu"]), *week)
        headers = as_mentor(mentor)
        for _ in range(3):
            day = (NOW + timedelta(days=random.randrange(3))).date()
            hours = random.choice([[], [{"startTime": "03:30", "endTime": "05:00"}]])
            put = world.client.put(f"/mentors/{mentor.id}/dates/{day}", json={"hours": hours}, headers=headers)
            assert put.status_code == 200, put.json
        rules = {"stepMinutes": random.choice([15, 25]), "maxPerDay": random.choice([None, 1])}
        assert world.client.put(f"/mentors/{mentor.id}/booking-rules", json=rules, headers=headers).status_code == 200
        for slot in slots_of(world, empty, mentor)[:2]:
            with world.engine.begin() as db:
                user = as_user(factories.make_user(db))
            booked = {"mentorProfileId": str(mentor.id), "durationMinutes": 30, "scheduledAt": slot}
            world.client.post("/sessions/book", json=booked, headers=user)
        listed = slots_of(world, empty, mentor)
        first[str(mentor.id)] = datetime.fromisoformat(listed[0]) if listed else NOW + timedelta(days=99)
    ordered = [first[id] for id in found(world, empty, "/mentors", sort="next")]
    assert ordered == sorted(first.values())


def slots_of(world: World, cast: Cast, mentor: Mentor) -> list[str]:
    query = {"from": NOW.isoformat(), "to": (NOW + timedelta(days=21)).isoformat(), "timeZone": "UTC"}
    answer = world.client.get(f"/mentors/{mentor.id}/slots", query_string=query, headers=cast.as_operator)
    return [item["startTime"] for item in answer.json["items"]]


def test_hours_are_read_in_their_zone_for_the_next_slot(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        auckland, honolulu, utc = (make_free_mentor(db) for _ in range(3))
    day = (NOW + timedelta(days=3)).weekday()
    for mentor, zone in ((utc, "UTC"), (honolulu, "Pacific/Honolulu"), (auckland, "Pacific/Auckland")):
        set_hours(world, mentor, zone, (day, "12:00", "13:00"))
    assert found(world, empty, "/mentors", sort="next") == ids_of(auckland, utc, honolulu)


def test_a_slot_has_the_duration_that_is_asked_for(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        short, long = make_free_mentor(db), make_free_mentor(db)
        for mentor in (short, long):
            factories.make_listing(db, mentor, duration_minutes=120)
        block(db, short, NOW + timedelta(hours=1), NOW + timedelta(hours=9))
        block(db, long, NOW - timedelta(minutes=5), NOW + timedelta(minutes=40))
    assert found(world, empty, "/mentors", sort="next") == ids_of(short, long)
    assert found(world, empty, "/mentors", sort="next", durationMinutes=120) == ids_of(long, short)


def test_mentors_beyond_the_best_follow_by_rating(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        made = [make_free_mentor(db) for _ in range(MAX_ORDERED_BY_FREE_TIME + 5)]
        for number, mentor in enumerate(made):
            rate(db, mentor, *[1 + number % 5] * (1 + number % 7))
        block(db, made[4], NOW - timedelta(hours=1), NOW + timedelta(hours=1))
        # Not free, and still before those beyond the best.
        block(db, made[9], NOW - timedelta(hours=1), NOW + timedelta(days=60))
    rated = found_by_rating(made)
    later = [made[4].id, made[9].id]
    best = [each for each in rated[:MAX_ORDERED_BY_FREE_TIME] if each not in later] + later
    expected = [str(each) for each in best + rated[MAX_ORDERED_BY_FREE_TIME:]]
    for limit in (90, 99, 35):
        ids: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"sort": "next", "limit": limit} | ({"cursor": cursor} if cursor else {})
            page = world.client.get("/mentors", query_string=query, headers=empty.as_mentee).json
            ids, cursor = ids + [item["id"] for item in page["items"]], page["nextCursor"]
        assert ids == expected


def found_by_rating(made: list[Mentor]) -> list[UUID]:
    keys = {mentor.id: (1 + number % 5, 1 + number % 7, mentor.id) for number, mentor in enumerate(made)}
    return sorted(keys, key=lambda each: keys[each], reverse=True)


def test_time_off_is_not_free(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        away, here = make_free_mentor(db), make_free_mentor(db)
        rate(db, away, 5)
        off = {"id": uuid4(), "start_time": NOW - timedelta(days=1), "end_time": NOW + timedelta(days=1)}
        db.execute(insert(time_off).values(mentor_profile_id=away.id, **off))
    assert found(world, empty, "/mentors", sort="next") == ids_of(here, away)


def skills_of(world: World, cast: Cast) -> list[tuple[str, int]]:
    items = world.client.get("/skills?limit=100", headers=cast.as_mentee).json["items"]
    return [(item["skill"], item["mentors"]) for item in items]


def test_skills_are_listed_with_how_many_mentors_have_them(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        one = factories.make_mentor(db, skills=["Go", "Rust "])
        factories.make_mentor(db, skills=["go", "chess", "go"])
    assert skills_of(world, empty) == [("go", 2), ("chess", 1), ("rust", 1)]
    profile = update(mentor_profiles).where(mentor_profiles.c.id == one.id)
    execute(world.engine, profile.values(skills=["poetry", "rust"]))
    assert skills_of(world, empty) == [("chess", 1), ("go", 1), ("poetry", 1), ("rust", 1)]
    execute(world.engine, profile.values(active=False))
    assert skills_of(world, empty) == [("chess", 1), ("go", 1)]
    execute(world.engine, profile.values(active=True, skills=[]))
    assert skills_of(world, empty) == [("chess", 1), ("go", 1)]
    assert set(scalars(world.engine, select(skills.c.skill))) == {"chess", "go"}


def test_an_erased_mentors_skill_is_kept_nowhere(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        mentor = factories.make_mentor(db, skills=["grace hopper's own compiler", "go"])
        factories.make_mentor(db, skills=["go"])
    assert world.client.delete("/me", headers=as_user(mentor.user_id)).status_code == 204
    assert skills_of(world, empty) == [("go", 1)]
    assert set(scalars(world.engine, select(skills.c.skill))) == {"go"}


def test_skills_come_in_pages(world: World, empty: Cast) -> None:
    with world.engine.begin() as db:
        factories.make_mentor(db, skills=["b", "a", "c"])
        factories.make_mentor(db, skills=["c"])
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = world.client.get(f"/skills?limit=1{cursor}", headers=empty.as_mentee).json
        seen += [item["skill"] for item in page["items"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert seen == ["c", "a", "b"]
