"""A skill goes with the last active mentor who has it: mentors enter skills as free text, which may tell of a person.

Revision: 0055, after 0054.
"""

from __future__ import annotations

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

# Rows are inserted and locked in the order of their names, so that two profiles that change at a time do not deadlock.
# A row that another transaction is deleting is waited for, and inserted again.
COUNT_SKILLS = """
CREATE OR REPLACE FUNCTION count_skills() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text[] := '{}';
    after text[] := '{}';
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.active THEN
        before := OLD.skills;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.active THEN
        after := NEW.skills;
    END IF;
    INSERT INTO skills (skill, mentors)
    SELECT DISTINCT skill, 0 FROM unnest(before || after) skill
    WHERE (skill = ANY (after)) <> (skill = ANY (before)) ORDER BY skill
    ON CONFLICT (skill) DO UPDATE SET mentors = skills.mentors;
    -- A count that was wrong before must not be in the way of an erasure.
    UPDATE skills SET mentors = greatest(mentors + (skill = ANY (after))::integer - (skill = ANY (before))::integer, 0)
    WHERE skill = ANY (before || after) AND (skill = ANY (after)) <> (skill = ANY (before));
    DELETE FROM skills WHERE skill = ANY (before) AND NOT skill = ANY (after) AND mentors = 0;
    RETURN NULL;
END $$
"""
COUNT_SKILLS_BEFORE = """
CREATE OR REPLACE FUNCTION count_skills() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text[] := '{}';
    after text[] := '{}';
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.active THEN
        before := OLD.skills;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.active THEN
        after := NEW.skills;
    END IF;
    INSERT INTO skills (skill, mentors) SELECT DISTINCT skill, 0 FROM unnest(after) skill ORDER BY skill
    ON CONFLICT DO NOTHING;
    PERFORM 1 FROM skills WHERE skill = ANY (before || after) ORDER BY skill FOR UPDATE;
    UPDATE skills SET mentors = mentors + (skill = ANY (after))::integer - (skill = ANY (before))::integer
    WHERE skill = ANY (before || after) AND (skill = ANY (after)) <> (skill = ANY (before));
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(COUNT_SKILLS)
    op.execute("DELETE FROM skills WHERE mentors = 0")


def downgrade() -> None:
    op.execute(COUNT_SKILLS_BEFORE)
