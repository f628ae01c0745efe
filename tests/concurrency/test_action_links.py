"""Links out of mails whose forms are sent at once: each acts once, and none ends in a defect."""

from collections import Counter
from functools import partial
from typing import Any

from sqlalchemy import Engine, func, select

from models.bookings import bookings
from models.events import events
from models.links import spent_links
from models.people import users
from tests import factories
from tests.api.links import signed
from tests.api.test_email_changes import NEW, link_to
from tests.application import World, as_mentor, as_user
from tests.concurrency.racing import ROUNDS, Race
from tests.queries import scalar, scalars
from workflows.accounts.records import Mentor
from workflows.action_links.link import Action
from workflows.bookings.records import Booking

FORMS = 4


def _statuses(race: Race, world: World, paths: list[str]) -> Counter[int]:
    def post(path: str) -> int:
        return int(world.client.post(path, data={"reason": "Ill"}).status_code)

    return Counter(race.run([partial(post, path) for path in paths]))


def _count(engine: Engine, event_type: str) -> Any:
    return scalar(engine, select(func.count()).where(events.c.type == event_type))


def _drafts(engine: Engine) -> tuple[Mentor, list[Booking]]:
    """A mentor, and a request for each round."""
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        listing = factories.make_listing(db, mentor)
        return mentor, [factories.make_booking(db, listing=listing) for _ in range(ROUNDS)]


def test_of_several_forms_of_one_link_one_acts(engine: Engine, race: Race) -> None:
    world, (mentor, drafts) = World.on(engine), _drafts(engine)
    for draft in drafts:
        path = signed(Action.ACCEPT, draft.id, mentor.user_id)
        assert _statuses(race, world, [path] * FORMS) == {200: 1, 410: FORMS - 1}
    assert _count(engine, "booking.accepted") == ROUNDS
    assert scalar(engine, select(func.count()).select_from(spent_links)) == ROUNDS


def test_of_two_decisions_one_counts(engine: Engine, race: Race) -> None:
    world, (mentor, drafts) = World.on(engine), _drafts(engine)
    for draft in drafts:
        links = [signed(action, draft.id, mentor.user_id) for action in (Action.ACCEPT, Action.DECLINE)]
        assert _statuses(race, world, links) == {200: 1, 400: 1}
    assert _count(engine, "booking.accepted") + _count(engine, "booking.declined") == ROUNDS


def test_a_link_and_the_application_decide_once(engine: Engine, race: Race) -> None:
    world, (mentor, drafts) = World.on(engine), _drafts(engine)
    for draft in drafts:
        path, link = f"/bookings/{draft.id}/decline", signed(Action.ACCEPT, draft.id, mentor.user_id)
        calls = [
            lambda path=path: world.client.patch(path, headers=as_mentor(mentor)).status_code,
            lambda link=link: world.client.post(link).status_code,
        ]
        assert Counter(race.run(calls)) == {200: 1, 400: 1}
    assert set(scalars(engine, select(bookings.c.status))) <= {"accepted", "declined"}


def test_one_of_two_users_confirms_an_address(engine: Engine, race: Race) -> None:
    world = World.on(engine)
    for number in range(ROUNDS):
        with engine.begin() as db:
            people = [factories.make_user(db) for _ in range(2)]
        email = f"{number}{NEW}"
        for user in people:
            assert world.client.patch("/me", json={"email": email}, headers=as_user(user)).status_code == 200
        links = [link_to(engine, user.id) for user in people]
        assert _statuses(race, world, links) == {200: 1, 409: 1}
        assert scalar(engine, select(func.count()).where(users.c.email == email)) == 1


def test_no_link_acts_after_it_was_ended(engine: Engine, race: Race) -> None:
    world, (mentor, drafts) = World.on(engine), _drafts(engine)
    headers, decided = as_mentor(mentor), select(bookings.c.status)

    def end() -> str:
        assert world.client.post("/me/revoke-links", headers=headers).status_code == 204
        return str(scalar(engine, decided.where(bookings.c.id == draft.id)))

    def accept(path: str) -> str:
        return str(world.client.post(path).status_code)

    for version, draft in enumerate(drafts):
        path = signed(Action.ACCEPT, draft.id, mentor.user_id, links_version=version)
        ended, acted = race.run([end, partial(accept, path)])
        # The answer of the one who ends the links is final: what acts has committed by then, or never does.
        assert (ended, acted) in {("accepted", "200"), ("draft", "404")}


def test_links_of_one_mentor_act_beside_each_other_and_the_application(engine: Engine, race: Race) -> None:
    world = World.on(engine)
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        listing = factories.make_listing(db, mentor)
        drafts = [factories.make_booking(db, listing=listing) for _ in range(ROUNDS * FORMS)]

    def accept_by_link(draft: Booking) -> int:
        return int(world.client.post(signed(Action.ACCEPT, draft.id, mentor.user_id)).status_code)

    def accept(draft: Booking) -> int:
        return int(world.client.post(f"/bookings/{draft.id}/accept", headers=as_mentor(mentor)).status_code)

    for begin in range(0, len(drafts), FORMS):
        *linked, last = drafts[begin : begin + FORMS]
        answers = race.run([*(partial(accept_by_link, each) for each in linked), partial(accept, last)])
        assert Counter(answers) == {200: FORMS - 1, 202: 1}
