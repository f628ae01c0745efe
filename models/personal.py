"""Whether a column is personal, and what an erasure of the account writes to it: each column has this in its `info`.

Ids, moments and states alone are no personal data: they lead to nobody once names, addresses and texts are gone. Such
columns need an `info` only if they are deleted with their row; every other column needs one, or a test fails.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table

DELETED_ACCOUNT = "The account was deleted."
_KEY = "personal"


@dataclass(frozen=True)
class Personal:
    """How an erasure changes a column."""

    is_personal: bool = True  # whether the column tells of a person
    replacement: str | None = None  # the SQL of its value after an erasure; None where nothing is written
    goes_with_row: bool = False  # whether the whole row is deleted
    reason: str | None = None  # why a personal column is kept


Info = dict[Any, Any]
IMPERSONAL: Info = {_KEY: Personal(is_personal=False)}
ERASED: Info = {_KEY: Personal(replacement="NULL")}
DELETED: Info = {_KEY: Personal(goes_with_row=True)}


def replaced_by(sql: str) -> Info:
    """Personal; an erasure writes this SQL expression over the table's columns."""
    return {_KEY: Personal(replacement=sql)}


def kept(reason: str) -> Info:
    """Personal, and kept for a reason."""
    return {_KEY: Personal(reason=reason)}


KEPT_EXTERNAL_ID = kept("the marketplace's id stays, as the id does: what had it is never somebody else")
KEPT_ACCOUNT = kept("an account of what was paid, which outlasts the person")
# The mentor's address, number or link.
OWN_LOCATION = "CASE WHEN mentor_profile_id IS DISTINCT FROM :mentor_profile_id THEN location END"


def own_reason(column: str) -> str:
    """The SQL of a reason after an erasure: a word of ours stays, and nothing else."""
    return f"CASE WHEN {column} IN ('expired', 'unpaid', '{DELETED_ACCOUNT}') THEN {column} END"


def personal(column: Column[Any]) -> Personal | None:
    """The column's declaration; None without one."""
    said: Personal | None = column.info.get(_KEY)
    return said


def replacements(table: Table) -> dict[str, str]:
    """The SQL that an erasure writes, by the names of the table's columns."""
    said = ((column.name, personal(column)) for column in table.columns)
    return {name: each.replacement for name, each in said if each is not None and each.replacement is not None}
