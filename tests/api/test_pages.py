"""Lists in pages: without gap or double, whatever is written meanwhile, and one query each."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, insert

from config.signed_links import Signer
from models.bookings import BookingStatus, bookings
from models.sessions import session_id_of
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import SECRET, World
from tests.statements import statements_of
from workflows.accounts.records import User

OTHER_SECRET = "another key, put in front of the old one"


def write_bookings(engine: Engine, cast: Cast, mentee: User, count: int, days: float = 100) -> set[str]:
    """Bookings in fours of the same start, so that a page's edge falls between equals."""
    first = factories.this_hour() + timedelta(days=days)
    with engine.begin() as db:
        original = factories.make_booking(db, listing=cast.listing, mentee=mentee, start_time=first)
        start = [first + timedelta(hours=number // 4) for number in range(count - 1)]
        made = [uuid4() for _ in start]
        db.execute(
            insert(bookings),
            [
                {
                    "id": id,
                    "listing_id": original.listing_id,
                    "mentor_profile_id": original.mentor_profile_id,
                    "mentee_user_id": mentee.id,
                    "start_time": begin,
                    "end_time": begin + timedelta(hours=1),
                    "status": BookingStatus.ACCEPTED,
                    "session_id": session_id_of(id),
                    "price_amount": 1,
                    "price_currency": "USD",
                    "late_fee_percent": original.late_fee_percent,
                }
                for id, begin in zip(made, start, strict=True)
            ],
        )
    return {str(original.id), *map(str, made)}


def walk(world: World, path: str, headers: Headers, between: object = None) -> list[str]:
    """The ids of all items, page after page; `between` is called after the third page."""
    found: list[str] = []
    cursor, number = "", 0
    while cursor is not None:
        answer = world.client.get(f"{path}{f'&cursor={cursor}' if cursor else ''}", headers=headers)
        assert answer.status_code == 200
        found += [item["id"] for item in answer.json["items"]]
        cursor, number = answer.json["nextCursor"], number + 1
        if number == 3 and callable(between):
            between()
    return found


def test_a_walk_has_no_gap_and_no_double_while_rows_come_and_go(world: World, cast: Cast) -> None:
    expected = write_bookings(world.engine, cast, cast.mentee, 250)
    late: set[str] = set()

    def write_more() -> None:
        late.update(write_bookings(world.engine, cast, cast.mentee, 10, days=99))
        late.update(write_bookings(world.engine, cast, cast.mentee, 10, days=110))

    found = walk(world, "/bookings?limit=7", cast.as_mentee, write_more)
    assert len(found) == len(set(found))
    assert set(found) - late == expected


def test_a_page_is_in_its_order_and_of_its_size(world: World, cast: Cast) -> None:
    write_bookings(world.engine, cast, cast.mentee, 30)
    page = world.client.get("/bookings", headers=cast.as_mentee).json
    assert len(page["items"]) == 20
    keys = [(item["startTime"], item["id"]) for item in page["items"]]
    assert keys == sorted(sorted(keys, key=lambda key: key[1]), key=lambda key: key[0], reverse=True)
    whole = world.client.get("/bookings?limit=30", headers=cast.as_mentee).json
    assert (len(whole["items"]), whole["nextCursor"]) == (30, None)


def test_a_cursor_is_good_for_its_own_list_and_filters(world: World, cast: Cast) -> None:
    write_bookings(world.engine, cast, cast.mentee, 5)
    cursor = world.client.get("/bookings?limit=2", headers=cast.as_mentee).json["nextCursor"]
    assert world.client.get(f"/bookings?limit=4&cursor={cursor}", headers=cast.as_mentee).status_code == 200
    for path in (
        "/bookings?status=draft",
        "/bookings?role=mentee",
        "/sessions/mentee/my-sessions?limit=2",
        "/mentors?",
    ):
        answer = world.client.get(f"{path}&cursor={cursor}", headers=cast.as_mentee)
        assert (answer.status_code, list(answer.json["details"])) == (400, ["cursor"])


@pytest.mark.parametrize("cursor", ["", "x", "ünï", "%00", "A" * 600, "====", "W10.", ".W10.x"])
def test_a_malformed_cursor_is_refused(world: World, cast: Cast, cursor: str) -> None:
    answer = world.client.get(f"/bookings?cursor={cursor}", headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/bookings", "/mentors", "/listings"])
def test_a_cursor_signed_with_another_key_is_refused(world: World, cast: Cast, path: str) -> None:
    key = ["2030-01-01T00:00:00+00:00", "0190a1b2-0000-7000-8000-00000000dead"]
    for secret in ("guessed", OTHER_SECRET):
        cursor = Signer([secret], f'cursor ["{path}", []]').sign(key)
        answer = world.client.get(f"{path}?cursor={cursor}", headers=cast.as_mentee)
        assert (answer.status_code, list(answer.json["details"])) == (400, ["cursor"])


def test_cursors_outlive_the_rotation_of_keys(world: World, cast: Cast) -> None:
    write_bookings(world.engine, cast, cast.mentee, 5)
    cursor = world.client.get("/bookings?limit=2", headers=cast.as_mentee).json["nextCursor"]
    for keys, status in (((OTHER_SECRET, SECRET), 200), ((OTHER_SECRET,), 400)):
        rotated = World.on(world.engine, signing_keys=keys)
        answer = rotated.client.get(f"/bookings?limit=2&cursor={cursor}", headers=cast.as_mentee)
        assert answer.status_code == status


@pytest.mark.parametrize(
    "path",
    ["/bookings", "/mentors", "/listings", "/sessions/mentee/my-sessions", "/sessions/mentor/my-sessions"],
)
def test_a_page_is_one_query_whatever_its_size(world: World, cast: Cast, path: str) -> None:
    write_bookings(world.engine, cast, cast.mentee, 12)
    for limit in (1, 10, 100):
        with statements_of(world.engine) as made:
            answer = world.client.get(f"{path}?limit={limit}", headers=cast.as_mentor)
        assert answer.status_code == 200
        assert len(made.statements) == 2, "the caller, and the page"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=1_0",
        "limit=%EF%BC%91",
        "limit=",
        "limit=1&limit=2",
        "status=open",
        "role=boss",
        "status=",
        "nonsense=1",
        "cursor=a&cursor=b",
        "role=%00",
        "status=%FF",
    ],
)
def test_queries_that_make_no_sense_are_refused(world: World, cast: Cast, query: str) -> None:
    answer = world.client.get(f"/bookings?{query}", headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert set(answer.json["details"]) == {query.partition("=")[0]}


@pytest.mark.parametrize(
    "moment", ["2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00:00+02:00", "0001-01-01T00:00:00Z"]
)
def test_times_in_a_query_have_a_zone(world: World, cast: Cast, moment: str) -> None:
    # A plus that is not escaped is a space.
    answer = world.client.get(f"/sessions/mentee/my-sessions?from={moment}", headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["from"])
