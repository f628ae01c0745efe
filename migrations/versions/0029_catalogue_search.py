"""Full-text search of courses and mentors, the order of mentors by rating and price, and how many have each skill.

Courses and mentor profiles are written once; the service goes on meanwhile.

Revision: 0029, after 0028.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# Names and titles are in any language, so that no language's endings are cut off. Accents are (NFKD puts them behind
# their letters), and the parser would take "node.js" and "tcp/ip" for one word each.
SPLIT = r"""
CREATE FUNCTION search_text(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(regexp_replace(normalize(coalesce(words, ''), NFKD), '[\u0300-\u036f]', '', 'g'),
        './\-_@:<>&''', '           ')
$$
"""
VECTOR = """
CREATE FUNCTION search_vector(words text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('pg_catalog.simple', search_text(words))
$$
"""
QUERY = """
CREATE FUNCTION search_words(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT plainto_tsquery('pg_catalog.simple', search_text(words))
$$
"""
PREFIXES = r"""
CREATE FUNCTION search_prefixes(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(regexp_replace(CAST(search_words(words) AS text), '(''[^'']*'')', '\1:*', 'g') AS tsquery)
$$
"""
OF_COURSES = """
CREATE FUNCTION index_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := setweight(search_vector(NEW.title), 'A') || setweight(search_vector(NEW.description), 'C');
    RETURN NEW;
END $$
"""
OF_MENTORS = """
CREATE FUNCTION index_mentor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := setweight(search_vector((SELECT name FROM users WHERE id = NEW.user_id)), 'A')
        || setweight(search_vector(array_to_string(NEW.skills, ' ')), 'A')
        || setweight(search_vector(NEW.headline), 'B') || setweight(search_vector(NEW.bio), 'C');
    RETURN NEW;
END $$
"""
# The profile shows the name: its version changes with it.
OF_NAMES = """
CREATE FUNCTION index_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE mentor_profiles SET user_id = user_id WHERE user_id = NEW.id;
    RETURN NULL;
END $$
"""
# Always locked in the order of their names, so that two profiles that change at a time do not deadlock.
COUNT_SKILLS = """
CREATE FUNCTION count_skills() RETURNS trigger LANGUAGE plpgsql AS $$
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
TRIGGERS = {
    "tr_courses_search": "BEFORE INSERT OR UPDATE OF title, description ON courses"
    " FOR EACH ROW EXECUTE FUNCTION index_course()",
    "tr_mentor_profiles_search": "BEFORE INSERT OR UPDATE OF user_id, skills, headline, bio ON mentor_profiles"
    " FOR EACH ROW EXECUTE FUNCTION index_mentor()",
    "tr_users_search": "AFTER UPDATE OF name ON users"
    " FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION index_name()",
    "tr_mentor_profiles_skills": "AFTER INSERT OR DELETE OR UPDATE OF skills, active ON mentor_profiles"
    " FOR EACH ROW EXECUTE FUNCTION count_skills()",
}
COUNT = """
INSERT INTO skills (skill, mentors)
SELECT skill, count(DISTINCT id) FROM mentor_profiles, unnest(skills) skill WHERE active GROUP BY skill
"""
RATING = sa.text("(100 * rating_sum / GREATEST(review_count, 1))")


def upgrade() -> None:
    for function in (SPLIT, VECTOR, QUERY, PREFIXES, OF_COURSES, OF_MENTORS, OF_NAMES, COUNT_SKILLS):
        op.execute(function)
    op.create_table(
        "skills",
        sa.Column("skill", sa.Text(), nullable=False),
        sa.Column("mentors", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("mentors >= 0", name=op.f("ck_skills_mentors")),
        sa.PrimaryKeyConstraint("skill", name=op.f("pk_skills")),
    )
    for table, changed in (("courses", "title = title"), ("mentor_profiles", "user_id = user_id")):
        empty = sa.text("''")
        op.add_column(table, sa.Column("search", postgresql.TSVECTOR(), server_default=empty, nullable=False))
        # What is written here is no change of a course or profile: its version stays.
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER tr_{table}_version")
        op.execute(f"CREATE TRIGGER tr_{table}_search {TRIGGERS[f'tr_{table}_search']}")
        op.execute(f"UPDATE {table} SET {changed}")
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER tr_{table}_version")
        name, apart = f"ix_{table}_search", {"fastupdate": "off"}
        op.create_index(name, table, ["search"], postgresql_using="gin", postgresql_with=apart)
    op.execute(f"CREATE TRIGGER tr_users_search {TRIGGERS['tr_users_search']}")
    op.execute(f"CREATE TRIGGER tr_mentor_profiles_skills {TRIGGERS['tr_mentor_profiles_skills']}")
    op.execute(COUNT)
    op.create_index("ix_skills_mentors_skill", "skills", [sa.text("mentors DESC"), "skill"])
    op.create_index("ix_mentor_profiles_rating", "mentor_profiles", [RATING, "review_count", "id"])
    for columns in (["price_amount", "id"], ["price_currency", "price_amount", "id"]):
        name = f"ix_listings_{'_'.join(columns)}"
        op.create_index(name, "listings", columns, postgresql_where=sa.text("active"))


def downgrade() -> None:
    for name in ("ix_listings_price_currency_price_amount_id", "ix_listings_price_amount_id"):
        op.drop_index(name, "listings")
    op.drop_index("ix_mentor_profiles_rating", "mentor_profiles")
    for name, definition in TRIGGERS.items():
        table = definition.partition(" ON ")[2].partition(" ")[0]
        op.execute(f"DROP TRIGGER {name} ON {table}")
    op.drop_table("skills")
    for table in ("courses", "mentor_profiles"):
        op.drop_column(table, "search")
    for function in ("count_skills()", "index_name()", "index_mentor()", "index_course()"):
        op.execute(f"DROP FUNCTION {function}")
    for function in ("search_prefixes(text)", "search_words(text)", "search_vector(text)", "search_text(text)"):
        op.execute(f"DROP FUNCTION {function}")
