"""Which schema this code can work with: the newest one that it knows, or one that is newer than itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def read_revisions() -> None:
    """Read the migrations' names, so that no probe has to wait for a disk, or for the folder of a later version."""
    _revisions()


def is_migrated(revision: str | None) -> bool:
    """Whether a database at this revision has all that this code needs.

    During a deploy the database is migrated first, so that an unknown revision is a newer one.
    """
    heads, known = _revisions()
    return revision is not None and (revision in heads or revision not in known)


@cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    scripts = ScriptDirectory(str(MIGRATIONS))
    return frozenset(scripts.get_heads()), frozenset(script.revision for script in scripts.walk_revisions())
