"""A skill that goes with its last mentor while another mentor enters it is counted all the same."""

from functools import partial

from sqlalchemy import Connection, Engine, select, update

from models.people import mentor_profiles, skills
from tests import factories
from tests.concurrency.racing import ROUNDS, Race
from workflows.accounts.records import Mentor


def _enter(db: Connection, mentor: Mentor, entered: list[str]) -> None:
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(skills=entered))


def test_a_skill_that_one_enters_while_its_last_mentor_leaves_it_is_counted(engine: Engine, race: Race) -> None:
    entered = ["a", "b", "c", "d"]
    with engine.begin() as db:
        mentors = [factories.make_mentor(db) for _ in range(4)]
    for number in range(4 * ROUNDS):
        halves = (entered, []) if number % 2 else (entered[::-1], entered[1:])
        for turn in (0, 1):
            entering = [(each, list(halves[(place + turn) % 2])) for place, each in enumerate(mentors)]
            race.transact([partial(_enter, mentor=each, entered=words) for each, words in entering])
        with engine.begin() as db:
            had = list(db.scalars(select(mentor_profiles.c.skills)))
            expected = {skill: sum(skill in each for each in had) for each in had for skill in each}
            counted = {row.skill: row.mentors for row in db.execute(select(skills.c.skill, skills.c.mentors))}
            assert counted == expected
