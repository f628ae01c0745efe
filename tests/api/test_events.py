"""Events for operators, in the order of their commits."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests import factories
from tests.api.conftest import Cast
from tests.api.streaming import await_others
from tests.application import World, as_operator
from workflows.streams.changes import events_after, present_of


def events_of(world: World, **asked: str) -> tuple[list[dict[str, Any]], str]:
    answer = world.client.get("/events", query_string=asked or None, headers=as_operator())
    assert answer.status_code == 200, answer.text
    return answer.json["items"], answer.json["nextCursor"]


def test_a_slow_transaction_is_not_skipped(world: World, cast: Cast, engine: Engine) -> None:
    before = events_of(world)[1]
    with engine.begin() as slow:
        late = factories.make_booking(slow, listing=cast.listing, mentee=cast.mentee)
        with engine.begin() as db:
            early = factories.make_booking(db)
        while_it_runs, cursor = events_of(world, after=before)
    await_others(engine)
    found = while_it_runs + events_of(world, after=cursor)[0]
    assert while_it_runs == []
    assert [each["data"]["bookingId"] for each in found] == [str(late.id), str(early.id)]
    assert events_of(world, after=events_of(world, after=cursor)[1])[0] == []


def test_pages_of_some_types_are_the_whole(world: World, engine: Engine) -> None:
    with engine.begin() as db:
        made = [factories.make_booking(db) for _each in range(3)]
        factories.accept_booking(db, made[0])
    await_others(engine)
    whole, _cursor = events_of(world)
    assert [each["type"] for each in whole] == ["booking.requested"] * 3 + ["booking.accepted"]
    wanted = {"types": "booking.requested", "limit": "1"}
    found, cursor = events_of(world, **wanted)
    for _page in range(3):
        items, cursor = events_of(world, **wanted, after=cursor)
        found += items
    assert found == whole[:3]


def test_a_page_goes_through_so_many_events_and_no_more(engine: Engine) -> None:
    with engine.begin() as db:
        for _each in range(5):
            factories.make_booking(db)
        factories.accept_booking(db, factories.make_booking(db))
    await_others(engine)
    with engine.connect() as db:
        present, position, pages = present_of(db), (0, 0), []
        for _page in range(5):
            page = events_after(db, present, position, ["booking.accepted"], 10, max_read=2)
            pages.append(([event.type for event in page.events], page.has_more))
            position = page.position
    # The rare one is the last of seven; the cursor moves on where a page has none, and stays at the end.
    assert pages == [([], True)] * 3 + [(["booking.accepted"], False), ([], False)]


def test_a_page_that_is_full_costs_no_look_beyond_it(world: World, engine: Engine) -> None:
    with engine.begin() as db:
        for _each in range(3):
            factories.make_booking(db)
    await_others(engine)
    full, rest = (
        world.client.get("/events", query_string={"limit": limit}, headers=as_operator()).json for limit in (2, 4)
    )
    assert (len(full["items"]), full["hasMore"]) == (2, True)
    assert (len(rest["items"]), rest["hasMore"]) == (3, False)


def test_a_seat_that_is_taken_shows(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        group = factories.make_group(db, [], listing=cast.listing)
    joined = world.client.post(f"/group-sessions/{group.id}/join", json={}, headers=cast.as_mentee)
    assert joined.status_code in (200, 201), joined.text
    await_others(engine)
    (event,) = events_of(world, types="seat.*")[0]
    assert (event["type"], event["data"]["userId"]) == ("seat.joined", str(cast.mentee.id))


def test_another_history_refuses_the_cursor(world: World, engine: Engine) -> None:
    cursor = events_of(world)[1]
    with engine.begin() as db:
        again = "SELECT max(number) + 1, min(system_identifier), 0 FROM clusters"
        db.execute(text(f"INSERT INTO clusters (number, system_identifier, events_up_to) {again}"))
    answer = world.client.get("/events", query_string={"after": cursor}, headers=as_operator())
    assert (answer.status_code, list(answer.json["details"])) == (400, ["cursor"])


@pytest.mark.parametrize("query", ["types=sessions", "types=", "limit=0", "limit=101", "after=x", "since=1"])
def test_a_bad_query_is_refused(world: World, query: str) -> None:
    answer = world.client.get(f"/events?{query}", headers=as_operator())
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_operators_alone_read_events(world: World, cast: Cast) -> None:
    assert [world.client.get("/events", headers=who).status_code for who in (cast.as_mentee, cast.as_mentor, {})] == [
        403,
        403,
        401,
    ]


def test_a_change_has_the_time_at_which_it_was_made(engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        booking = factories.accept_booking(db, factories.make_booking(db, listing=cast.listing, mentee=cast.mentee))
        begun = "SELECT updated_at > transaction_timestamp() FROM bookings WHERE id = :id"
        assert db.scalar(text(begun), {"id": booking.id}) is True
