"""Which tests go to one process together, and in which order: what takes longest first, so that all end together."""

from __future__ import annotations

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
ON_THEIR_OWN = ("tests/faults/test_everything_killed.py", "tests/e2e/test_demo.py", "tests/e2e/test_demo_receiver.py")
# Those that start whole systems, those that wait, and then all others.
FIRST = (
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
    """A file's tests stay together, as ever, and those of a folder that shares a running system do so, too."""

    # By xdist's documentation, this is what subclasses override.
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        shared = next((system for beginning, system in SHARING.items() if file.startswith(beginning)), None)
        return file if shared is None or file in ON_THEIR_OWN else shared


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests in that order; within a file, and among files alike, they stay as they are."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((rank for rank, beginning in enumerate(FIRST) if nodeid.startswith(beginning)), len(FIRST))
