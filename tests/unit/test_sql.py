"""Tests of statements as text: which types their parameters have by their names."""

import pytest
from sqlalchemy import make_url

from models.base import sql
from tests.architecture.source import ROOT, imported

DIALECT = make_url("postgresql+psycopg://").get_dialect()()


@pytest.mark.parametrize(
    ("statement", "compiled"),
    [
        ("SELECT :id, :user_id", "SELECT %(id)s::UUID, %(user_id)s::UUID"),
        ("SELECT :now", "SELECT %(now)s::TIMESTAMP WITH TIME ZONE"),
        ("SELECT :start_time", "SELECT %(start_time)s::TIMESTAMP WITH TIME ZONE"),
        ("SELECT :ids, :kind, :identity", "SELECT %(ids)s, %(kind)s, %(identity)s"),
        ("SELECT '{}'::jsonb", "SELECT '{}'::jsonb"),
        ("SELECT CAST(:expires_at AS timestamptz[])", "SELECT CAST(%(expires_at)s AS timestamptz[])"),
        ("SELECT CAST(:user_id AS text)", "SELECT CAST(%(user_id)s::UUID AS text)"),
        ("SELECT '\\:id'", "SELECT ':id'"),
    ],
)  # fmt: skip
def test_a_parameters_name_says_its_type(statement: str, compiled: str) -> None:
    assert str(sql(statement).compile(dialect=DIALECT)) == compiled


def test_all_statements_of_workflows_are_made_so() -> None:
    found = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "workflows").rglob("*.py")
        if "sqlalchemy.text" in imported(file)
    ]
    assert found == []
