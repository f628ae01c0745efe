"""Writers of the audit race with the chain: in the end every entry is in it once, and none is passed over."""

from collections import Counter
from itertools import chain as concatenated

from sqlalchemy import Connection, Engine, text

from tests.audit import chain_all, new_entry, verified
from tests.concurrency.racing import ROUNDS, Race
from tests.queries import scalars
from workflows.audit.chain import chain_entries
from workflows.audit.log import write_entries

WRITERS = 4


def write(db: Connection) -> None:
    entry = new_entry()
    write_entries(db, [entry] * 3)
    # Between the number and the commit, others take theirs and commit.
    db.execute(text("SELECT pg_sleep(random() * 0.004)"))
    write_entries(db, [entry])


def test_every_entry_is_chained_once_however_late_it_commits(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        # Two chains at once: one of them finds the other at it.
        race.transact([write] * WRITERS + [chain_entries] * 2)
    chain_all(engine)
    found = verified(engine)
    listed = Counter(concatenated(*scalars(engine, text("SELECT entry_ids FROM audit_blocks"))))
    assert (found.problems, found.unchained) == ([], None)
    assert found.entries == ROUNDS * WRITERS * 4 == len(listed)
    assert set(listed.values()) == {1}
