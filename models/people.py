"""Users and mentor profiles."""

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from models.base import Timestamp, changing, created, enum, external_id, id_column, metadata, own_metadata
from models.personal import DELETED, ERASED, IMPERSONAL, kept, replaced_by


class MentorState(StrEnum):
    """The decision of staff about a mentor profile."""

    PENDING = "pending"  # not yet approved (`MENTOR_APPROVAL`)
    ACTIVE = "active"
    REJECTED = "rejected"
    PAUSED = "paused"


ERASED_NAME = "Deleted user"
# A mentor's average in hundredths, rounded down, and 0 before the first review: the order of mentors. Literal text, so
# that the planner finds the index.
RATING_IN_HUNDREDTHS = text("(100 * rating_sum / GREATEST(review_count, 1))")
# As `search_vector` makes them, but by functions of PostgreSQL alone: the expression of an index finds no others.
# Literal text, so that the planner finds the index.
USER_WORDS = text(
    "to_tsvector('simple'::regconfig, translate(regexp_replace(NORMALIZE((name || ' '::text) || email, NFKD),"
    r" '[\u0300-\u036f]'::text, ''::text, 'g'::text), './\-_@:<>&'''::text, '           '::text))"
)

users = Table(
    "users",
    metadata,
    id_column(),
    Column("email", Text, nullable=False, info=replaced_by("'erased-' || users.id || '@erased.invalid'")),
    Column("name", Text, nullable=False, info=replaced_by(f"'{ERASED_NAME}'")),
    Column("time_zone", Text, nullable=False, server_default=text("'UTC'"), info=replaced_by("'UTC'")),
    # A language tag (BCP 47).
    Column("locale", Text, nullable=False, server_default=text("'en'"), info=replaced_by("'en'")),
    *external_id("users"),
    *own_metadata(),
    # Of the token's claims that were written last, and when that token was issued.
    Column("claims_digest", LargeBinary, info=ERASED),
    Column("claims_at", Timestamp),
    *changing(),
    # A link in a mail holds the number at its time and is invalid once the number is higher: the user raises it, and a
    # trigger does with every change of the address.
    Column("links_version", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # When the account was erased: from then on nobody can act as it. Then, when the last of its kept data was deleted.
    Column("erased_at", Timestamp),
    Column("erasure_ended_at", Timestamp),
    # Set by staff: from then on nobody can act as it, until it is null again.
    Column("blocked_at", Timestamp),
    CheckConstraint("char_length(locale) BETWEEN 2 AND 35", name="locale"),
    CheckConstraint("char_length(email) BETWEEN 3 AND 320", name="email_length"),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="name_length"),
    # One account per mail address, however it is written.
    Index("uq_users_email", text("lower(email)"), unique=True),
    # Staff find people, and what they have booked, by what their name or address begins with.
    Index("ix_users_name", text("lower(name) text_pattern_ops")),
    Index("ix_users_email", text("lower(email) text_pattern_ops")),
    # The words of name and address, by which staff find people.
    Index("ix_users_search", USER_WORDS, postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    Index("ix_users_blocked", "id", postgresql_where=text("blocked_at IS NOT NULL")),
    # Maintain reads these.
    Index(
        "ix_users_being_erased",
        "erased_at",
        postgresql_where=text("erased_at IS NOT NULL AND erasure_ended_at IS NULL"),
    ),
)

# A mail address that its user has entered and not yet confirmed; closed ones tell for a day how often a user did.
email_changes = Table(
    "email_changes",
    metadata,
    id_column(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, info=DELETED),
    Column("email", Text, nullable=False, info=DELETED),
    # The notice of the change goes to this address, even if the account has another one by then.
    Column("former_email", Text, nullable=False, info=DELETED),
    Column("expires_at", Timestamp, nullable=False),
    # Until it is confirmed, withdrawn or replaced.
    Column("open", Boolean, nullable=False, server_default=text("true"), info=IMPERSONAL),
    created(),
    CheckConstraint("char_length(email) BETWEEN 3 AND 320", name="email_length"),
    Index("uq_email_changes_open", "user_id", unique=True, postgresql_where=text("open")),
    Index("ix_email_changes_user_id_expires_at", "user_id", "expires_at"),
    Index("ix_email_changes_expires_at", "expires_at"),
)

mentor_profiles = Table(
    "mentor_profiles",
    metadata,
    id_column(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False, unique=True),
    Column("headline", Text, nullable=False, info=replaced_by("'Deleted profile'")),
    Column("bio", Text, info=ERASED),
    Column(
        "time_zone",
        Text,
        nullable=False,
        server_default=text("'UTC'"),
        info=kept("the days of reports and rules are counted in it"),
    ),
    Column("skills", ARRAY(Text), nullable=False, server_default=text("'{}'"), info=replaced_by("'{}'")),
    Column("avatar_url", Text, info=ERASED),
    # Language tags (BCP 47).
    Column("languages", ARRAY(Text), nullable=False, server_default=text("'{}'"), info=replaced_by("'{}'")),
    Column("rating_sum", Integer, nullable=False, server_default=text("0"), info=kept("a count")),
    Column("review_count", Integer, nullable=False, server_default=text("0"), info=kept("a count")),
    Column("active", Boolean, nullable=False, server_default=text("true"), info=replaced_by("false")),
    Column("state", enum(MentorState, "mentor_state"), nullable=False, server_default=text("'active'")),
    # Raised under the mentor's lock with every change of when they can be booked, so that a booking can require that
    # none has happened since it read them.
    Column("calendar_version", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # The words of name, skills, headline and bio, by triggers; a change of the user's name is one of the profile.
    Column(
        "search",
        TSVECTOR,
        nullable=False,
        server_default=text("''"),
        info=kept("by a trigger, the words of what is left"),
    ),
    *external_id("mentor_profiles"),
    *own_metadata(),
    *changing(),
    CheckConstraint("char_length(headline) BETWEEN 1 AND 200", name="headline_length"),
    CheckConstraint("NOT active OR state = 'active'", name="active_once_approved"),
    CheckConstraint("avatar_url ~ '^https?://' AND char_length(avatar_url) <= 2000", name="avatar_url"),
    CheckConstraint("rating_sum BETWEEN review_count AND 5 * review_count", name="rating_within_one_to_five"),
    Index("ix_mentor_profiles_skills", "skills", postgresql_using="gin"),
    # Without a list of pending entries, which each search would read.
    Index("ix_mentor_profiles_search", "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    Index("ix_mentor_profiles_rating", RATING_IN_HUNDREDTHS, "review_count", "id"),
)

# Whom a mentor does not take on; `guard_block` keeps them from booking. The id may name nobody: a mentor is not shown
# whether a person exists.
mentor_blocks = Table(
    "mentor_blocks",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False, info=DELETED),
    Column("user_id", Uuid, nullable=False, info=DELETED),
    Column("reason", Text, info=DELETED),
    created(),
    UniqueConstraint("mentor_profile_id", "user_id"),
    Index("ix_mentor_blocks_mentor_profile_id_id", "mentor_profile_id", "id"),
    Index("ix_mentor_blocks_user_id", "user_id"),
)

# How many active mentors have each skill, by a trigger on their profiles.
skills = Table(
    "skills",
    metadata,
    Column("skill", Text, primary_key=True, info=IMPERSONAL),
    Column("mentors", Integer, nullable=False, info=IMPERSONAL),
    created(),
    CheckConstraint("mentors >= 0", name="mentors"),
    Index("ix_skills_mentors_skill", text("mentors DESC"), "skill"),
)
