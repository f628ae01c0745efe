"""Which tests go to one process together, and in which order: what takes longest first, so that all end together."""

from collections import Counter

import pytest
from xdist.scheduler import LoadFileScheduling

# Tests that share one running system, which the first of them starts and the last of them ends. Those on their own are
# not among them: they start systems themselves.
SHARING = {
    "tests/faults/": "faults",
    "tests/e2e/": "up",
    "tests/docs/test_readme.py": "up",
    "tests/cli/test_up_everything.py": "up",
}
ON_THEIR_OWN = (
    "tests/faults/test_everything_killed.py",
    "tests/faults/test_seeded_faults.py",
    "tests/faults/test_pooler.py",
    "tests/faults/test_promotion.py",
    "tests/faults/test_sentinels.py",
    "tests/e2e/test_demo.py",
    "tests/e2e/test_demo_receiver.py",
)
# Those that start whole systems, those that wait, and then all others.
FIRST = (
    "tests/upgrade/",
    "tests/faults/",
    "tests/e2e/test_demo.py",
    "tests/e2e/",
    "tests/docs/test_readme.py",
    "tests/cli/test_up_everything.py",
    "tests/cli/test_up",
    "tests/api/test_server_processes.py",
    "tests/concurrency/",
    "tests/cli/",
)


class SharingSystems(LoadFileScheduling):
    """A file's tests stay together, and so do the tests of a folder that shares a running system."""

    # By xdist's documentation, this is what subclasses override.
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        shared = next((system for beginning, system in SHARING.items() if file.startswith(beginning)), None)
        return file if shared is None or file in ON_THEIR_OWN else shared


def tell_apart(items: list[pytest.Item]) -> None:
    """Give each test an id of its own: of several with one id, xdist runs the first alone.

    Raises:
        pytest.UsageError: two tests have one id.
    """
    for item in items:
        # Pytest 9.2 leaves the operation, which schemathesis 4 puts into the name, out of the id.
        if not item.nodeid.endswith(item.name) and item.parent is not None:
            item._id = type(item.id).parse(f"{item.parent.nodeid}::{item.name}")
    doubled = [nodeid for nodeid, number in Counter(item.nodeid for item in items).items() if number > 1]
    if doubled:
        raise pytest.UsageError(f"Several tests have one id, of which one would run: {', '.join(doubled[:5])}")


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests in that order; within a file, and among files alike, they stay as they are."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((rank for rank, beginning in enumerate(FIRST) if nodeid.startswith(beginning)), len(FIRST))
