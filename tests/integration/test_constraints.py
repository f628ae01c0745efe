"""Tests of the rules that tables hold: each named constraint is there, and each is violated by its name once."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import CheckConstraint, Connection, Engine, Table, insert, select, text, update

from models import metadata
from models.audit import audit_blocks, audit_chain, audit_entries
from models.availability import (
    availability_announcements,
    availability_rules,
    booking_rules,
    calendar_feeds,
    date_hours,
    outside_busy,
    time_off,
    weekly_hours,
)
from models.bookings import booking_participants, bookings
from models.bundles import bundle_entries, bundle_purchases
from models.calendar import calendar_secrets, person_busy
from models.catalog import courses, listings, products
from models.events import deliveries, delivery_attempts, events
from models.groups import group_session_templates, group_sessions, seat_cancellations
from models.imports import import_chunks, imports
from models.keys import api_keys
from models.notifications import notifications
from models.payments import payment_entries, payments
from models.people import email_changes, mentor_profiles, skills, users
from models.reviews import review_permits, reviews
from models.sessions import reschedule_proposals, sessions
from models.webhooks import webhook_endpoints
from tests.factories import (
    accept_booking,
    make_booking,
    make_listing,
    make_payment,
    make_permit,
    make_session,
    make_user,
    start_session,
)
from tests.integration.test_guards import refused
from workflows.kernel.constraints import _MEANINGS

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def test_every_name_that_the_code_gives_a_meaning_to_exists(db: Connection) -> None:
    named = set(db.scalars(text("SELECT conname FROM pg_constraint UNION SELECT indexname FROM pg_indexes")))
    guards = "".join(db.scalars(text("SELECT prosrc FROM pg_proc WHERE proname LIKE 'guard_%'")))
    assert [name for name in _MEANINGS if name not in named and f"'{name}'" not in guards] == []


class Rows:
    """A good row of each table, to be spoiled in one column."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.session = make_session(db)
        self.booking = accept_booking(db, make_booking(db))
        self.listing = make_listing(db)
        self.reviewable = make_permit(db)
        self.payment = make_payment(db)
        self.hours = self._weekly_hours()
        self._write_course()
        self.feed = {**self._calendar_feed(), "id": uuid4()}
        db.execute(insert(calendar_feeds).values(self.feed))
        self.an_import = uuid4()
        brought = {"actor": "operator:tests", "dry_run": False, "notify": False, "lines": 0}
        db.execute(insert(imports).values(id=self.an_import, **brought))
        self.event_id = db.scalars(select(events.c.id).limit(1)).one()
        self.delivery = db.execute(select(deliveries).limit(1)).one()._mapping

    def _weekly_hours(self) -> dict[str, Any]:
        hours = {"revision": 1, "time_zone": "UTC", "since": NOW, "mentor_profile_id": self.booking.mentor_profile_id}
        self.db.execute(insert(weekly_hours).values(hours := {**hours, "id": uuid4()}))
        return hours

    def _calendar_feed(self) -> dict[str, Any]:
        return {
            **{"id": uuid4(), "mentor_profile_id": self.listing.mentor_profile_id, "url_digest": uuid4().bytes * 2},
            **{"sealed_url": "s", "origin": "o", "scheduled_by": uuid4(), "next_fetch_at": NOW, "stale_at": NOW},
        }

    def _write_course(self) -> None:
        """A bundle bought for a course, with its first entry, and a template of groups."""
        self.course, self.product, self.bundle, self.template = uuid4(), uuid4(), uuid4(), uuid4()
        price = {"price_amount": 1, "price_currency": "USD"}
        course = {"course_id": self.course, **price}
        bundle = {"total_sessions": 5, "remaining_sessions": 5, "valid_from": NOW, "product_id": self.product}
        template = {"weekday": 0, "start_time": time(9), "time_zone": "UTC", "duration_minutes": 60, "capacity": 3}
        self.db.execute(insert(courses).values(id=self.course, title="Algebra"))
        self.db.execute(
            insert(products).values(id=self.product, kind="bundle", title="Five", session_count=5, **course)
        )
        mentee = self.session.mentee_user_id
        self.db.execute(insert(bundle_purchases).values(id=self.bundle, mentee_user_id=mentee, **bundle, **course))
        entry = {"bundle_purchase_id": self.bundle, "kind": "purchase", "credits": 5, "balance": 5, "actor": "system"}
        self.db.execute(insert(bundle_entries).values(id=uuid4(), **entry))
        mentor = self.listing.mentor_profile_id
        group = {"id": self.template, "mentor_profile_id": mentor, "title": "Algebra on Mondays", **template, **price}
        self.db.execute(insert(group_session_templates).values(group))

    def of(self, table: Table) -> dict[str, Any]:
        own = self._of_the_main_job() | self._of_the_mentors_time() | self._of_what_follows() | self._of_a_course()
        return {**self._copied(table), **own.get(table.name, {})}

    def _copied(self, table: Table) -> dict[str, Any]:
        row = self.db.execute(select(table).limit(1)).one_or_none()
        if row is None:
            return {}
        return {name: value for name, value in row._mapping.items() if table.c[name].identity is None}

    def _of_the_main_job(self) -> dict[str, dict[str, Any]]:
        return {
            "users": {"id": uuid4(), "email": f"{uuid4().hex}@example.org"},
            "mentor_profiles": {"id": uuid4(), "user_id": self.session.mentee_user_id},
            "notifications": {
                "id": uuid4(),
                "event_id": self.event_id,
                "user_id": self.session.mentee_user_id,
                "channel": "email",
                "kind": "k",
                "title": "t",
                "body": "b",
            },
            "email_changes": {
                **{"id": uuid4(), "user_id": self.session.mentee_user_id, "email": "ada@new.example"},
                **{"former_email": "ada@example.org", "expires_at": NOW},
            },
            "skills": {"skill": uuid4().hex, "mentors": 1},
            "courses": {"id": uuid4(), "title": "Algebra"},
            "listings": {"id": uuid4()},
            "bookings": {"id": uuid4(), "status": "draft", "session_id": None},
            "sessions": {
                "id": self.booking.session_id,
                "booking_id": self.booking.id,
                "mentor_profile_id": self.booking.mentor_profile_id,
                "mentee_user_id": self.booking.mentee_user_id,
                "start_time": self.booking.start_time,
                "end_time": self.booking.end_time,
            },
        }

    def mentor_user_id(self) -> Any:
        profile = mentor_profiles.c
        return self.db.scalar(select(profile.user_id).where(profile.id == self.listing.mentor_profile_id))

    def _of_the_mentors_time(self) -> dict[str, dict[str, Any]]:
        start = NOW + 1000 * HOUR
        return {
            "availability_announcements": {
                "mentor_profile_id": self.booking.mentor_profile_id,
                "announced_at": NOW,
            },
            "person_busy": {
                "id": uuid4(),
                "user_id": self.mentor_user_id(),
                "booking_id": None,
                "hold_id": uuid4(),
                "expires_at": NOW,
                "held_by_user_id": self.session.mentee_user_id,
                "held_start": start,
                "held_end": start + HOUR,
                "busy": text(f"tstzrange('{start.isoformat()}', '{(start + HOUR).isoformat()}')"),
                "mentor_profile_id": self.listing.mentor_profile_id,
            },
            "weekly_hours": {**self.hours, "id": uuid4(), "mentor_profile_id": self.listing.mentor_profile_id},
            "availability_rules": {"weekly_hours_id": self.hours["id"], "weekday": 0, "opens": 540, "closes": 720},
            "date_hours": {
                "mentor_profile_id": self.listing.mentor_profile_id,
                "day": NOW.date(),
                "time_zone": "UTC",
                "spans": [],
            },
            "time_off": {
                **{"id": uuid4(), "mentor_profile_id": self.listing.mentor_profile_id},
                **{"start_time": NOW, "end_time": NOW + HOUR, "reason": "Holidays"},
            },
            "booking_rules": {"mentor_profile_id": self.listing.mentor_profile_id},
            "calendar_feeds": self._calendar_feed(),
            "outside_busy": {
                "mentor_profile_id": self.listing.mentor_profile_id,
                "calendar_feed_id": self.feed["id"],
                "busy": text("tstzrange(now(), now() + interval '1 hour')"),
            },
            "calendar_secrets": {"user_id": self.session.mentee_user_id, "digest": uuid4().bytes * 2},
        }

    def _of_a_course(self) -> dict[str, dict[str, Any]]:
        return {
            "products": {"id": uuid4()},
            "bundle_purchases": {"id": uuid4(), "mentee_user_id": make_user(self.db).id},
            "bundle_entries": {"id": uuid4()},
            "payments": {
                **{"id": uuid4(), "booking_id": self.booking.id, "user_id": self.session.mentee_user_id},
                **{"mentor_profile_id": self.booking.mentor_profile_id, "paid_for": "booking", "due_at": NOW},
                **{"amount": 4000, "currency": "USD", "status": "awaiting", "paid_at": None, "reference": None},
                **{"charged": 0, "refund_due": 0},
            },
            "payment_entries": {
                **{"id": uuid4(), "payment_id": self.payment.id, "kind": "refund_due", "amount": 1, "actor": "system"},
                **{"reference": None, "refund_id": None, "reason": None},
            },
            "reschedule_proposals": {
                **{
                    "id": uuid4(),
                    "session_id": self.session.id,
                    "from_time": NOW,
                    "start_time": NOW + timedelta(days=1),
                },
                **{"proposed_by": "operator", "proposed_by_user_id": None, "status": "declined", "expires_at": NOW},
            },
            "group_session_templates": {"id": uuid4()},
            "group_sessions": {
                **{"booking_id": self.booking.id, "template_id": self.template, "occurs_on": NOW.date()},
                "capacity": 3,
            },
            "booking_participants": {"user_id": make_user(self.db).id},
            "seat_cancellations": {
                **{"seat_id": uuid4(), "booking_id": self.booking.id, "user_id": self.session.mentee_user_id},
                "late": False,
                **{"price_amount": 0, "fee_amount": 0, "refund_amount": 0, "currency": "USD"},
            },
        }

    def _of_what_follows(self) -> dict[str, dict[str, Any]]:
        mentor, delivery = {"mentor_profile_id": self.session.mentor_profile_id}, self.delivery
        opened = {"unlocked_at": NOW, "expires_at": NOW + HOUR}
        session = {"session_id": self.session.id, "mentee_user_id": self.session.mentee_user_id}
        reviewed = {"session_id": self.reviewable.session_id, "mentee_user_id": self.reviewable.mentee_user_id}
        reviewed_mentor = {"mentor_profile_id": self.reviewable.mentor_profile_id}
        done = {"actor": "operator:tests", "action": "review.hidden", "occurred_at": NOW}
        return {
            "review_permits": {"id": uuid4(), **session, **mentor, **opened},
            "reviews": {"id": uuid4(), **reviewed, **reviewed_mentor, "rating": 5},
            "audit_entries": {"id": uuid4(), **done, "subject_type": "review", "subject_id": uuid4()},
            "audit_blocks": {
                **{"number": 1, "month": NOW.date(), "up_to": 1, "previous": bytes(32), "hash": bytes(32)},
                **{"entry_ids": [uuid4()], "digests": bytes(32)},
            },
            "audit_chain": {},
            "clusters": {"number": 7, "system_identifier": 1, "events_up_to": 0},
            "session_metrics": {
                **{"session_id": self.session.id, "completed_at": NOW, "booked_minutes": 60, **mentor},
                **{"acceptance_to_session_ms": 50, "start_delay_ms": -1, "length_ms": 1},
            },
            "deliveries": {"id": uuid4(), "effect": "another", "done_at": None, "state": "pending"},
            "delivery_attempts": {
                **{name: delivery[name] for name in ("event_id", "effect", "target")},
                **{"attempt": 1, "outcome": "done", "duration_ms": 1},
            },
            "webhook_endpoints": {"id": uuid4(), "url": f"https://{uuid4().hex}.example", "event_types": ["*"]},
            "imports": {
                **{"id": uuid4(), "actor": "operator:tests", "dry_run": False, "notify": False, "lines": 3},
                **{"refused": 1, "errors": [], "finished_at": None},
            },
            "import_chunks": {"import_id": self.an_import, "number": 1, "type": "user", "sealed": "sealed:"},
            "api_keys": {
                **{"id": uuid4(), "name": "Backend", "scopes": ["read"], "prefix": "tsk_0000"},
                **{"digest": uuid4().bytes * 2, "created_by": "operator:tests"},
            },
        }


# The marketplace's own id and object, in every table that has them.
NAMED_OUTSIDE = (
    bookings,
    bundle_purchases,
    courses,
    group_session_templates,
    listings,
    mentor_profiles,
    products,
    users,
)
VIOLATED: list[tuple[Table, str, dict[str, Any]]] = [
    *(
        (table, f"ck_{table}_external_id_length", {"external_id": id})
        for table in NAMED_OUTSIDE
        for id in ("", "x" * 201)
    ),
    *(
        (table, f"ck_{table}_metadata_is_an_object", {"metadata": [1]})
        for table in NAMED_OUTSIDE
        if table is not bookings
    ),
    (users, "ck_users_email_length", {"email": "ab"}),
    (users, "ck_users_email_length", {"email": "a" * 321}),
    (users, "ck_users_name_length", {"name": ""}),
    (users, "ck_users_locale", {"locale": "e"}),
    (notifications, "ck_notifications_gathered_until", {"channel": "in_app", "gathered_until": NOW}),
    (email_changes, "ck_email_changes_email_length", {"email": "ab"}),
    (email_changes, "ck_email_changes_email_length", {"email": "a" * 321}),
    (mentor_profiles, "ck_mentor_profiles_avatar_url", {"avatar_url": "ftp://example.org/me.png"}),
    (mentor_profiles, "ck_mentor_profiles_active_once_approved", {"state": "pending", "active": True}),
    (mentor_profiles, "ck_mentor_profiles_headline_length", {"headline": ""}),
    # Reviews are one to five each.
    (mentor_profiles, "ck_mentor_profiles_rating_within_one_to_five", {"review_count": 2, "rating_sum": 1}),
    (mentor_profiles, "ck_mentor_profiles_rating_within_one_to_five", {"review_count": 2, "rating_sum": 11}),
    (skills, "ck_skills_mentors", {"mentors": -1}),
    (courses, "ck_courses_title_length", {"title": ""}),
    (listings, "ck_listings_title_length", {"title": ""}),
    (listings, "ck_listings_duration_minutes", {"duration_minutes": 4}),
    (listings, "ck_listings_duration_minutes", {"duration_minutes": 1441}),
    (listings, "ck_listings_price_amount", {"price_amount": -1}),
    (listings, "ck_listings_price_currency", {"price_currency": "usd"}),
    (listings, "ck_listings_early_start_minutes", {"early_start_minutes": -1}),
    (listings, "ck_listings_min_notice_minutes", {"min_notice_minutes": -1}),
    (listings, "ck_listings_buffer_minutes", {"buffer_minutes": 1441}),
    (listings, "ck_listings_cancellation_window_hours", {"cancellation_window_hours": -1}),
    (listings, "ck_listings_late_fee_percent", {"late_fee_percent": 101}),
    (listings, "ck_listings_questions", {"questions": {}}),
    (listings, "ck_listings_questions", {"questions": [{}] * 11}),
    (listings, "ck_listings_question_ids", {"questions": [{"id": "a"}, {"id": "a"}]}),
    (listings, "ck_listings_no_show_fee_percent", {"no_show_fee_percent": 101}),
    # A few reminders, each from a minute to thirty days before the start.
    (listings, "ck_listings_reminder_minutes", {"reminder_minutes": [1, 2, 3, 4, 5, 6]}),
    (listings, "ck_listings_reminder_minutes", {"reminder_minutes": [0]}),
    (listings, "ck_listings_reminder_minutes", {"reminder_minutes": [43_201]}),
    (listings, "ck_listings_reminder_minutes", {"reminder_minutes": [None]}),
    (listings, "ck_listings_location_is_an_object", {"location": ["online"]}),
    (products, "ck_products_title_length", {"title": ""}),
    (products, "ck_products_session_count", {"session_count": 0}),
    (products, "ck_products_several_in_a_bundle", {"kind": "single"}),
    (products, "ck_products_several_in_a_bundle", {"kind": "group_seat", "session_count": 1, "valid_days": 1}),
    (products, "ck_products_duration_minutes", {"duration_minutes": 4}),
    (products, "ck_products_price_amount", {"price_amount": -1}),
    (products, "ck_products_price_currency", {"price_currency": "usd"}),
    (products, "ck_products_valid_days", {"valid_days": 0}),
    (bundle_purchases, "ck_bundle_purchases_remaining_sessions", {"remaining_sessions": 6}),
    (bundle_purchases, "ck_bundle_purchases_remaining_sessions", {"remaining_sessions": -1, "closed_at": NOW}),
    (bundle_purchases, "ck_bundle_purchases_valid_to", {"valid_to": NOW}),
    (bundle_purchases, "ck_bundle_purchases_closed_when_exhausted", {"remaining_sessions": 0}),
    (bundle_purchases, "ck_bundle_purchases_unused_until_paid", {"awaits_payment": True, "remaining_sessions": 4}),
    (bundle_entries, "ck_bundle_entries_balance", {"balance": -1}),
    (bundle_entries, "ck_bundle_entries_credits", {"credits": 0}),
    # A spent credit names its booking.
    (bundle_entries, "ck_bundle_entries_booking_id", {"kind": "spend", "credits": -1}),
    (payments, "ck_payments_amount", {"amount": 0}),
    (payments, "ck_payments_currency", {"currency": "usd"}),
    # A seat, a series and a bundle have columns of their own.
    *((payments, "ck_payments_of_one_decision", {"paid_for": kind}) for kind in ("seat", "series", "bundle")),
    (payments, "ck_payments_charged_once_paid", {"status": "paid"}),
    (payments, "ck_payments_charged_once_paid", {"charged": 4000}),
    (payments, "ck_payments_refunds", {"refund_due": 1}),
    (payments, "ck_payments_refunds", {"refunded": -1}),
    (payments, "ck_payments_checkout", {"checkout_url": "https://pay.example"}),
    (payment_entries, "ck_payment_entries_amount", {"amount": 0}),
    (payment_entries, "ck_payment_entries_refund_id", {"kind": "refund_done", "reference": "re_1"}),
    (payment_entries, "ck_payment_entries_reference", {"kind": "charge"}),
    (group_session_templates, "ck_group_session_templates_title_length", {"title": ""}),
    (group_session_templates, "ck_group_session_templates_weekday", {"weekday": 7}),
    (group_session_templates, "ck_group_session_templates_duration_minutes", {"duration_minutes": 4}),
    (group_session_templates, "ck_group_session_templates_capacity", {"capacity": 0}),
    (group_session_templates, "ck_group_session_templates_price_amount", {"price_amount": -1}),
    (group_session_templates, "ck_group_session_templates_price_currency", {"price_currency": "usd"}),
    (group_session_templates, "ck_group_session_templates_early_start_minutes", {"early_start_minutes": -1}),
    (group_session_templates, "ck_group_session_templates_buffer_minutes", {"buffer_minutes": 1441}),
    (
        group_session_templates,
        "ck_group_session_templates_cancellation_window_hours",
        {"cancellation_window_hours": -1},
    ),
    (group_session_templates, "ck_group_session_templates_late_fee_percent", {"late_fee_percent": 101}),
    (group_session_templates, "ck_group_session_templates_questions", {"questions": {}}),
    (group_session_templates, "ck_group_session_templates_questions", {"questions": [{}] * 11}),
    (
        group_session_templates,
        "ck_group_session_templates_question_ids",
        {"questions": [{"id": "a"}, {"id": "a"}]},
    ),
    (group_session_templates, "ck_group_session_templates_no_show_fee_percent", {"no_show_fee_percent": 101}),
    (group_session_templates, "ck_group_session_templates_location_is_an_object", {"location": 1}),
    (group_sessions, "ck_group_sessions_capacity", {"capacity": 1001}),
    (group_sessions, "ck_group_sessions_seats", {"seats_taken": 3, "seats_offered": 1}),
    (seat_cancellations, "ck_seat_cancellations_amounts", {"fee_amount": -1}),
    (seat_cancellations, "ck_seat_cancellations_amounts", {"refund_amount": -1}),
    (seat_cancellations, "ck_seat_cancellations_amounts", {"fee_amount": 5, "refund_amount": 10, "price_amount": 10}),
    # A seat has a price.
    (booking_participants, "ck_booking_participants_seat", {"seat_id": uuid4()}),
    (booking_participants, "ck_booking_participants_start_time_of_a_seat", {"start_time": NOW}),
    (booking_participants, "ck_booking_participants_absence_from_a_group", {"present": False}),
    (calendar_secrets, "ck_calendar_secrets_digest", {"digest": b"short"}),
    # A booking ends after it starts, and not in the same moment.
    (bookings, "ck_bookings_ends_after_it_starts", {"start_time": NOW, "end_time": NOW}),
    # A single mentee, or a group; never both, never neither.
    (bookings, "ck_bookings_mentee_unless_group", {"mentee_user_id": None}),
    (bookings, "ck_bookings_mentee_unless_group", {"kind": "group", "listing_id": None}),
    (bookings, "ck_bookings_listing_unless_group", {"listing_id": None}),
    (bookings, "ck_bookings_late_fee_percent", {"late_fee_percent": 101}),
    (bookings, "ck_bookings_no_show_fee_percent", {"no_show_fee_percent": -1}),
    (bookings, "ck_bookings_session_id_once_accepted", {"session_id": uuid4()}),
    (bookings, "ck_bookings_session_id_once_accepted", {"status": "accepted"}),
    (bookings, "ck_bookings_metadata_is_an_object", {"metadata": [1]}),
    (bookings, "ck_bookings_location_is_an_object", {"location": "online"}),
    (bookings, "ck_bookings_price_amount", {"price_amount": -1}),
    (bookings, "ck_bookings_buffer_minutes", {"buffer_minutes": -1}),
    (listings, "ck_listings_buffer_before_minutes", {"buffer_before_minutes": 1441}),
    (bookings, "ck_bookings_buffer_before_minutes", {"buffer_before_minutes": -1}),
    (
        person_busy,
        "ck_person_busy_a_booking_or_a_hold",
        dict.fromkeys(("hold_id", "expires_at", "held_by_user_id", "held_start", "held_end")),
    ),
    *(
        (person_busy, "ck_person_busy_a_hold_is_whole", {name: None})
        for name in ("expires_at", "held_by_user_id", "held_start", "held_end")
    ),
    (person_busy, "ck_person_busy_a_hold_is_of_a_mentor", {"mentor_profile_id": None}),
    (person_busy, "ck_person_busy_a_mentor_never_overlaps", {"may_overlap": True}),
    (person_busy, "ck_person_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(now(), now())")}),
    (person_busy, "ck_person_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(now(), NULL)")}),
    (person_busy, "ck_person_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(NULL, now())")}),
    (person_busy, "ck_person_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(now(), now() + '1h', '[]')")}),
    (weekly_hours, "ck_weekly_hours_revision", {"revision": 0}),
    (weekly_hours, "ck_weekly_hours_holds_until_after_since", {"until": NOW - HOUR}),
    (availability_rules, "ck_availability_rules_weekday", {"weekday": 7}),
    (availability_rules, "ck_availability_rules_weekday", {"weekday": -1}),
    (availability_rules, "ck_availability_rules_within_a_day", {"closes": 540}),
    (availability_rules, "ck_availability_rules_within_a_day", {"closes": 1441}),
    (availability_rules, "ck_availability_rules_within_a_day", {"opens": -1}),
    (date_hours, "ck_date_hours_spans_are_an_array", {"spans": {}}),
    (time_off, "ck_time_off_ends_after_it_starts", {"end_time": NOW}),
    (time_off, "ck_time_off_reason_length", {"reason": "x" * 1001}),
    (availability_announcements, "ck_availability_announcements_held_back", {"held_back": 1}),
    (booking_rules, "ck_booking_rules_step_minutes", {"step_minutes": 4}),
    (booking_rules, "ck_booking_rules_horizon_days", {"horizon_days": 1831}),
    *(
        (booking_rules, f"ck_booking_rules_{name}", {name: 0})
        for name in ("max_per_day", "max_per_week", "max_per_mentee_per_day", "max_per_mentee_per_week")
    ),
    (booking_rules, "ck_booking_rules_stale_calendars", {"stale_calendars": "hope"}),
    (sessions, "ck_sessions_rating", {"rating": 0}),
    (sessions, "ck_sessions_rating", {"rating": 6}),
    (sessions, "ck_sessions_calendar_sequence", {"calendar_sequence": -1}),
    (sessions, "ck_sessions_rescheduled", {"reschedule_count": 1}),
    *(
        (table, f"ck_{table}_{name}", {name: -1})
        for table in (listings, group_session_templates, bookings)
        for name in ("reschedule_window_hours", "reschedule_max_times")
    ),
    (bookings, "ck_bookings_decided_at_once_moved", {"reschedule_count": 1}),
    (reschedule_proposals, "ck_reschedule_proposals_proposed_by", {"proposed_by": "system"}),
    (reschedule_proposals, "ck_reschedule_proposals_proposed_by_user_id", {"proposed_by": "mentee"}),
    (reschedule_proposals, "ck_reschedule_proposals_another_time", {"start_time": NOW}),
    (sessions, "ck_sessions_metadata_is_an_object", {"metadata": "text"}),
    (sessions, "ck_sessions_action_items_are_a_list", {"action_items": {"one": 1}}),
    (
        sessions,
        "ck_sessions_amounts",
        {"cancellation": {name: {"amount": amount} for name, amount in (("fee", 5), ("refund", 10), ("paid", 10))}},
    ),
    (sessions, "ck_sessions_started_at", {"started_at": NOW}),
    (sessions, "ck_sessions_completed_at", {"completed_at": NOW}),
    (sessions, "ck_sessions_cancelled_at", {"cancelled_at": NOW}),
    (review_permits, "ck_review_permits_expires_after_it_opens", {"expires_at": NOW}),
    (reviews, "ck_reviews_rating", {"rating": 0}),
    (reviews, "ck_reviews_rating", {"rating": 6}),
    (reviews, "ck_reviews_comment_length", {"comment": "x" * 5001}),
    (reviews, "ck_reviews_answer_length", {"answer": "", "answered_at": NOW}),
    (reviews, "ck_reviews_answer_length", {"answer": "x" * 5001, "answered_at": NOW}),
    (reviews, "ck_reviews_answered_at", {"answer": "Thank you"}),
    # Nothing is hidden without a reason.
    (reviews, "ck_reviews_hidden_at", {"hidden_at": NOW}),
    (reviews, "ck_reviews_hidden_at", {"hidden_reason": "Spam"}),
    (audit_entries, "ck_audit_entries_data_is_an_object", {"data": [1]}),
    (audit_entries, "ck_audit_entries_count", {"count": 0}),
    (audit_entries, "ck_audit_entries_address_hash", {"address_hash": b"127.0.0.1"}),
    (audit_blocks, "ck_audit_blocks_digests", {"digests": b""}),
    (audit_blocks, "ck_audit_blocks_dropped", {"dropped_number": 0}),
    (audit_chain, "ck_audit_chain_one_row", {"id": False}),
    (deliveries, "ck_deliveries_counters", {"attempts": -1}),
    (deliveries, "ck_deliveries_forgiven", {"attempts": 2, "forgiven": 3}),
    (deliveries, "ck_deliveries_forgiven", {"forgiven": -1}),
    (deliveries, "ck_deliveries_duration_ms", {"duration_ms": -1}),
    (deliveries, "ck_deliveries_done_at", {"done_at": NOW}),
    (deliveries, "ck_deliveries_done_at", {"state": "done"}),
    # Only what was cancelled has a reason for that.
    (deliveries, "ck_deliveries_cancel_reason", {"cancel_reason": "not_listening"}),
    (deliveries, "ck_deliveries_cancel_reason", {"state": "cancelled", "cancel_reason": "timeout"}),
    (delivery_attempts, "ck_delivery_attempts_error_class", {"error_class": "bad luck"}),
    (delivery_attempts, "ck_delivery_attempts_outcome", {"outcome": "maybe"}),
    (delivery_attempts, "ck_delivery_attempts_duration_ms", {"duration_ms": -1}),
    (webhook_endpoints, "ck_webhook_endpoints_url_length", {"url": "http://"}),
    (webhook_endpoints, "ck_webhook_endpoints_event_types_not_empty", {"event_types": []}),
    (webhook_endpoints, "ck_webhook_endpoints_headers_are_an_object", {"headers": [1]}),
    (webhook_endpoints, "ck_webhook_endpoints_rate_limit", {"rate_limit": 0}),
    (calendar_feeds, "ck_calendar_feeds_name_length", {"name": "x" * 201}),
    (calendar_feeds, "ck_calendar_feeds_url_digest", {"url_digest": b"short"}),
    (calendar_feeds, "ck_calendar_feeds_failures", {"failures": -1}),
    (outside_busy, "ck_outside_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(NULL, now())")}),
    (outside_busy, "ck_outside_busy_busy_is_a_half_open_stretch", {"busy": text("tstzrange(now(), now())")}),
    (webhook_endpoints, "ck_webhook_endpoints_disabled_reason", {"state": "disabled"}),
    (webhook_endpoints, "ck_webhook_endpoints_disabled_reason", {"disabled_reason": "gone"}),
    (imports, "ck_imports_counters", {"refused": -1}),
    (imports, "ck_imports_no_line_twice", {"created": 3}),
    (imports, "ck_imports_finished_at", {"finished_at": NOW}),
    (imports, "ck_imports_errors", {"errors": {}}),
    (imports, "ck_imports_errors", {"errors": [1] * 1_001}),
    (import_chunks, "ck_import_chunks_number", {"number": -1}),
    (api_keys, "ck_api_keys_name_length", {"name": ""}),
    (api_keys, "ck_api_keys_scopes", {"scopes": []}),
    (api_keys, "ck_api_keys_scopes", {"scopes": ["read", "everything"]}),
    (api_keys, "ck_api_keys_former_until", {"former_until": NOW}),
    (api_keys, "ck_api_keys_former_until", {"former_digest": b"of before"}),
    (webhook_endpoints, "ck_webhook_endpoints_failures", {"failures": -1}),
    (webhook_endpoints, "ck_webhook_endpoints_failures", {"failures": 1}),
    (webhook_endpoints, "ck_webhook_endpoints_failures", {"failing_since": NOW}),
    (webhook_endpoints, "ck_webhook_endpoints_only_failures_open_or_warn", {"open_until": NOW}),
    (webhook_endpoints, "ck_webhook_endpoints_only_failures_open_or_warn", {"warned_at": NOW}),
]


@pytest.fixture(scope="module")
def shared_rows(rollback_engine: Engine) -> Iterator[Rows]:
    """Rows for tests that take back what they write themselves."""
    with rollback_engine.connect() as db:
        db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield Rows(db)


@pytest.mark.parametrize(
    ("table", "name", "spoiled"), [pytest.param(*row, id=f"{row[1]} {n}") for n, row in enumerate(VIOLATED)]
)
def test_a_row_that_breaks_a_rule_names_it(shared_rows: Rows, table: Table, name: str, spoiled: dict[str, Any]) -> None:
    db = shared_rows.db
    with db.begin_nested() as savepoint:
        good = shared_rows.of(table)
        with refused(db, name):
            db.execute(insert(table).values(good | spoiled))
        db.execute(insert(table).values(good))
        savepoint.rollback()


def test_every_check_is_violated_here_once() -> None:
    checks = {
        constraint.name
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    violated = {"ck_sessions_begun_and_cancelled", *(name for _table, name, _spoiled in VIOLATED)}
    assert checks == violated, "Add a row that breaks the new CHECK to VIOLATED."


def test_what_has_begun_is_cancelled_by_an_operator_alone(db: Connection) -> None:
    begun = start_session(db, make_session(db))
    cancelled = update(sessions).where(sessions.c.id == begun.id).values(status="cancelled", cancelled_at=NOW)
    with refused(db, "ck_sessions_begun_and_cancelled"):
        db.execute(cancelled.values(cancellation={"cancelledBy": "mentor"}))
    db.execute(cancelled.values(cancellation={"cancelledBy": "operator"}))
