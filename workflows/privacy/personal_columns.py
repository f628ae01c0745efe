"""Where the database keeps what tells of a person: every column of every table, and what an erasure makes of it.

A test holds this table against the database: a column that stands in no place here fails it. Ids are no personal data
by themselves: they lead to nothing once the names, addresses and texts are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DELETED_ACCOUNT = "The account was deleted."
ERASED_NAME = "Deleted user"
ERASED_PROFILE = "Deleted profile"
ERASED_TITLE = "Deleted"
ERASED_NOTICE = "About a person who has deleted their account"


@dataclass(frozen=True)
class Places:
    """The columns of one table; of each of the first three, the names, separated by spaces.

    Args:
        erased: personal; set to null.
        deleted: personal; go with their whole rows.
        impersonal: not personal.
        replaced: personal; by name the SQL of what takes their place, null for null.
        kept: personal, and kept; by name the reason.
    """

    erased: str = ""
    deleted: str = ""
    impersonal: str = ""
    replaced: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> dict[str, str]:
        """What is written, by the names of the columns."""
        return {**dict.fromkeys(self.erased.split(), "NULL"), **self.replaced}

    def __iter__(self) -> Iterator[str]:
        names = f"{self.erased} {self.deleted} {self.impersonal}".split()
        return iter([*names, *self.replaced, *self.kept])


def _own_reason(column: str) -> str:
    """A reason as it stays: a word of ours, or nothing."""
    return f"CASE WHEN {column} IN ('expired', '{DELETED_ACCOUNT}') THEN {column} END"


_REASON = "cancellation ->> 'reason'"
_TIMES = "created_at updated_at version"
_MONEY = "an account of what was paid, which outlasts the person"
_HOURS = "reports of past hours are made of it; it names no one"
_AUDITED = "the audit holds ids and no names, and nothing of it is ever changed"
_RETENTION = "encrypted, and deleted after 72 hours; the person's own are deleted at once"

PLACES: dict[str, Places] = {
    "users": Places(
        replaced={
            "email": "'erased-' || users.id || '@erased.invalid'",
            "name": f"'{ERASED_NAME}'",
            "time_zone": "'UTC'",
            "locale": "'en'",
        },
        impersonal=f"id links_version erased_at erasure_ended_at {_TIMES}",
    ),
    "email_changes": Places(deleted="email former_email user_id", impersonal="id expires_at open created_at"),
    "mentor_profiles": Places(
        erased="bio avatar_url",
        replaced={"headline": f"'{ERASED_PROFILE}'", "skills": "'{}'", "languages": "'{}'", "active": "false"},
        kept={
            "time_zone": "the days of reports and rules are counted in it",
            "search": "by a trigger, the words of what is left",
            "rating_sum": "a count",
            "review_count": "a count",
        },
        impersonal=f"id user_id calendar_version {_TIMES}",
    ),
    "skills": Places(impersonal="skill mentors created_at"),
    "listings": Places(
        erased="description location",
        replaced={"title": f"'{ERASED_TITLE}'", "active": "false"},
        impersonal="id mentor_profile_id course_id duration_minutes price_amount price_currency booking_mode"
        " early_start_minutes min_notice_minutes buffer_before_minutes buffer_minutes cancellation_window_hours"
        f" late_fee_percent reminder_minutes {_TIMES}",
    ),
    "courses": Places(impersonal=f"id title description active search {_TIMES}"),
    "products": Places(
        impersonal="id course_id kind title session_count duration_minutes price_amount price_currency valid_days"
        f" active {_TIMES}"
    ),
    "group_session_templates": Places(
        erased="location",
        replaced={"title": f"'{ERASED_TITLE}'", "active": "false"},
        impersonal="id mentor_profile_id course_id product_id weekday start_time time_zone duration_minutes capacity"
        " price_amount price_currency early_start_minutes buffer_minutes cancellation_window_hours late_fee_percent"
        f" {_TIMES}",
    ),
    "group_sessions": Places(
        impersonal=f"booking_id template_id occurs_on capacity seats_taken seats_offered cancelled_at {_TIMES}"
    ),
    "bookings": Places(
        erased="title notes metadata",
        replaced={
            "decline_reason": _own_reason("decline_reason"),
            "cancel_reason": _own_reason("cancel_reason"),
            # The mentor's address, number or link.
            "location": "CASE WHEN mentor_profile_id IS DISTINCT FROM CAST(:mentor_profile_id AS uuid)"
            " THEN location END",
        },
        kept={"price_amount": _MONEY, "price_currency": _MONEY},
        impersonal="id listing_id mentor_profile_id mentee_user_id course_id kind start_time end_time status product_id"
        " bundle_purchase_id series_id buffer_before_minutes buffer_minutes early_start_minutes"
        f" cancellation_window_hours late_fee_percent reminder_minutes session_id {_TIMES}",
    ),
    "sessions": Places(
        erased="title description notes metadata rating feedback action_items",
        replaced={
            "cancellation": f"CASE WHEN {_REASON} = '{DELETED_ACCOUNT}' THEN cancellation"
            " ELSE jsonb_set(cancellation, '{reason}', 'null') END",
            "location": "CASE WHEN mentor_profile_id IS DISTINCT FROM CAST(:mentor_profile_id AS uuid)"
            " THEN location END",
        },
        impersonal="id booking_id mentor_profile_id mentee_user_id course_id start_time end_time status started_at"
        " completed_at cancelled_at room early_start_minutes completion_reminded_at calendar_sequence"
        f" {_TIMES}",
    ),
    "booking_participants": Places(
        kept={"present": "what a session was", "price_amount": _MONEY, "price_currency": _MONEY},
        impersonal="booking_id user_id seat_id product_id bundle_purchase_id start_time created_at",
    ),
    "seat_cancellations": Places(
        erased="reason",
        kept=dict.fromkeys(("late", "fee_amount", "refund_amount", "currency"), _MONEY),
        impersonal="seat_id booking_id user_id waived_at created_at",
    ),
    "waitlist_entries": Places(deleted="user_id", impersonal="id booking_id offered_until created_at"),
    "bundle_purchases": Places(
        kept={"price_amount": _MONEY, "price_currency": _MONEY},
        impersonal="id mentee_user_id course_id product_id total_sessions remaining_sessions duration_minutes"
        f" valid_from valid_to closed_at {_TIMES}",
    ),
    "bundle_entries": Places(
        erased="reason",
        impersonal="id sequence bundle_purchase_id kind credits balance booking_id seat_id actor created_at",
    ),
    "review_permits": Places(
        impersonal="id session_id mentee_user_id mentor_profile_id unlocked_at expires_at withdrawn_at created_at"
    ),
    "reviews": Places(
        erased="comment answer",
        replaced={"hidden_reason": f"CASE WHEN hidden_reason IS NOT NULL THEN '{DELETED_ACCOUNT}' END"},
        kept={"rating": "counted in the mentor's average"},
        impersonal=f"id session_id mentee_user_id mentor_profile_id answered_at hidden_at {_TIMES}",
    ),
    "notifications": Places(
        replaced={"title": f"'{ERASED_NOTICE}'", "body": "''"},
        impersonal="id event_id user_id channel kind booking_id session_id read_at gathered_until created_at",
    ),
    "notification_preferences": Places(deleted="user_id kind channel wanted", impersonal=_TIMES),
    "push_subscriptions": Places(deleted="user_id endpoint_digest sealed host", impersonal=f"id {_TIMES}"),
    "calendar_secrets": Places(deleted="user_id digest", impersonal=_TIMES),
    "calendar_feeds": Places(
        deleted="name sealed_url url_digest origin last_error etag last_modified content_digest time_zone",
        impersonal="id mentor_profile_id scheduled_by next_fetch_at attempted_at fetched_at stale_at failures"
        f" busy_until {_TIMES}",
    ),
    "outside_busy": Places(deleted="busy", impersonal="mentor_profile_id calendar_feed_id created_at"),
    "time_off": Places(erased="reason", impersonal="id mentor_profile_id start_time end_time created_at"),
    "weekly_hours": Places(
        kept={"time_zone": _HOURS}, impersonal="id mentor_profile_id revision since until created_at"
    ),
    "availability_rules": Places(
        kept={"weekday": _HOURS, "opens": _HOURS, "closes": _HOURS}, impersonal="weekly_hours_id created_at"
    ),
    "date_hours": Places(kept={"time_zone": _HOURS, "spans": _HOURS}, impersonal="mentor_profile_id day created_at"),
    "booking_rules": Places(
        impersonal="mentor_profile_id step_minutes horizon_days max_per_day max_per_week max_per_mentee_per_day"
        f" max_per_mentee_per_week stale_calendars {_TIMES}"
    ),
    "person_busy": Places(
        deleted="hold_id held_by_user_id held_start held_end expires_at",
        impersonal="id user_id mentor_profile_id busy booking_id may_overlap created_at",
    ),
    "webhook_endpoints": Places(
        deleted="url description headers disabled_reason",
        impersonal="id mentor_profile_id event_types rate_limit state signing failures failing_since open_until"
        f" warned_at exhausted_at active_until next_send_at hastens {_TIMES}",
    ),
    "webhook_secrets": Places(deleted="sealed_secret", impersonal="id endpoint_id expires_at created_at"),
    "deleted_webhook_endpoints": Places(impersonal="id mentor_profile_id deliveries_left created_at"),
    "availability_announcements": Places(impersonal="mentor_profile_id announced_at held_back event_id created_at"),
    "events": Places(
        kept={
            "actor": "an id",
            "data": "ids, states, times and amounts; what an endpoint answered, without its address",
        },
        impersonal="id xid sequence type subject_type subject_id occurred_at catalogue created_at",
    ),
    "deliveries": Places(
        # Of mails and pushes to the person: mail servers repeat addresses in their answers.
        erased="last_error",
        impersonal="event_id effect target id queue state due_at nudge_at nudges attempts forgiven lease_until"
        " cancel_reason put_off_until done_at endpoint_id turn_rate resend created_at",
    ),
    "delivery_attempts": Places(
        erased="error response",
        impersonal="event_id effect target attempt outcome error_class status_code duration_ms created_at",
    ),
    "effect_catalogues": Places(impersonal="id effects created_at"),
    "clusters": Places(impersonal="number system_identifier events_up_to created_at"),
    "subscriptions": Places(impersonal="effect event_type queue first_seen_at created_at"),
    "idempotency_keys": Places(
        kept={"headers": _RETENTION},
        deleted="caller body",
        impersonal="method route key fingerprint status_code expires_at created_at",
    ),
    "spent_links": Places(impersonal="action subject_id user_id expires_at created_at"),
    "audit_entries": Places(
        kept=dict.fromkeys(("actor", "address_hash", "reason", "data"), _AUDITED),
        impersonal="id xid sequence action subject_type subject_id result method route request_id count occurred_at"
        " created_at",
    ),
    "audit_blocks": Places(
        impersonal="number month up_to previous hash entry_ids digests dropped_month dropped_number dropped_up_to"
        " dropped_hash dropped_entries created_at"
    ),
    "audit_chain": Places(impersonal="id noted horizon checked number hash created_at"),
    "session_metrics": Places(
        impersonal="session_id mentor_profile_id course_id completed_at booked_minutes request_to_decision_ms"
        " acceptance_to_session_ms start_delay_ms length_ms created_at"
    ),
    "session_counts": Places(impersonal="mentor_profile_id counter amount created_at"),
    "session_count_changes": Places(impersonal="id mentor_profile_id counter amount created_at"),
    "quota_usage": Places(impersonal="kind subject_id used_until created_at"),
    "maintenance_cursors": Places(impersonal="name moment id created_at"),
    "violations": Places(impersonal="invariant subject about looked_at created_at"),
    "alembic_version": Places(impersonal="version_num"),
}


def assignments(table: str) -> str:
    """What an UPDATE of the table sets."""
    return ", ".join(f"{column} = {value}" for column, value in PLACES[table].changed.items())


def holds_something(table: str) -> str:
    """The condition under which a row still holds what is to be erased."""
    return " OR ".join(f"{table}.{name} IS DISTINCT FROM {value}" for name, value in PLACES[table].changed.items())
