CREATE TYPE booking_kind AS ENUM ('individual', 'group');
CREATE TYPE booking_mode AS ENUM ('request', 'instant');
CREATE TYPE booking_status AS ENUM ('draft', 'accepted', 'declined', 'cancelled');
CREATE TYPE bundle_entry_kind AS ENUM ('purchase', 'spend', 'give_back', 'adjust', 'expire');
CREATE TYPE delivery_state AS ENUM ('pending', 'done', 'dead', 'cancelled');
CREATE TYPE notification_channel AS ENUM ('in_app', 'email', 'push');
CREATE TYPE product_kind AS ENUM ('single', 'bundle', 'group_seat');
CREATE TYPE session_status AS ENUM ('scheduled', 'in_progress', 'completed', 'cancelled');
CREATE TYPE webhook_endpoint_state AS ENUM ('pending', 'active', 'paused', 'disabled');
CREATE TYPE webhook_signing AS ENUM ('hmac-sha256', 'ed25519');

CREATE TABLE audit_blocks (
    number bigint NOT NULL,
    month date NOT NULL,
    up_to bigint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    entry_ids uuid[] NOT NULL,
    digests bytea NOT NULL,
    dropped_month date,
    dropped_number bigint,
    dropped_up_to bigint,
    dropped_hash bytea,
    dropped_entries bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_blocks PRIMARY KEY (number),
    CONSTRAINT ck_audit_blocks_digests CHECK (octet_length(digests) = 32 * cardinality(entry_ids)),
    CONSTRAINT ck_audit_blocks_dropped
        CHECK (num_nulls(dropped_month, dropped_number, dropped_up_to, dropped_hash, dropped_entries) IN (0, 5)
        AND (dropped_month IS NULL OR cardinality(entry_ids) = 0 AND dropped_number < number))
);
CREATE INDEX ix_audit_blocks_dropped ON audit_blocks (number) WHERE dropped_month IS NOT NULL;
CREATE INDEX ix_audit_blocks_month ON audit_blocks (month, number);

CREATE TABLE audit_chain (
    id boolean NOT NULL DEFAULT true,
    noted bigint NOT NULL DEFAULT 0,
    horizon xid8 NOT NULL DEFAULT '0'::xid8,
    checked bigint NOT NULL DEFAULT 0,
    number bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_chain PRIMARY KEY (id),
    CONSTRAINT ck_audit_chain_one_row CHECK (id)
);

CREATE TABLE audit_entries (
    id uuid NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    occurred_at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject_type text,
    subject_id uuid,
    result text NOT NULL DEFAULT 'ok',
    method text,
    route text,
    address_hash bytea,
    request_id text,
    reason text,
    data jsonb NOT NULL DEFAULT '{}',
    count integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_entries PRIMARY KEY (id),
    CONSTRAINT ck_audit_entries_data_is_an_object CHECK (jsonb_typeof(data) = 'object'),
    CONSTRAINT ck_audit_entries_count CHECK (count >= 1),
    CONSTRAINT ck_audit_entries_address_hash CHECK (octet_length(address_hash) = 16)
) PARTITION BY RANGE (id);
CREATE INDEX ix_audit_entries_action_id ON audit_entries (action, id);
CREATE INDEX ix_audit_entries_actor_id ON audit_entries (actor, id);
CREATE INDEX ix_audit_entries_refused ON audit_entries (result, id) WHERE result <> 'ok';
CREATE INDEX ix_audit_entries_sequence ON audit_entries (sequence);
CREATE INDEX ix_audit_entries_subject_id_id ON audit_entries (subject_id, id);

CREATE TABLE clusters (
    number integer NOT NULL,
    system_identifier bigint NOT NULL,
    events_up_to bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_clusters PRIMARY KEY (number)
);

CREATE TABLE courses (
    id uuid NOT NULL,
    title text NOT NULL,
    description text,
    active boolean NOT NULL DEFAULT true,
    search tsvector NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_courses PRIMARY KEY (id),
    CONSTRAINT ck_courses_title_length CHECK (char_length(title) BETWEEN 1 AND 200)
);
CREATE INDEX ix_courses_search ON courses USING gin (search) WITH (fastupdate = off);

CREATE TABLE effect_catalogues (
    id bigint NOT NULL,
    effects text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_effect_catalogues PRIMARY KEY (id)
);

CREATE TABLE events (
    id uuid NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    subject_type text NOT NULL,
    subject_id uuid NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    catalogue bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_events PRIMARY KEY (id)
);
CREATE INDEX ix_events_subject_id ON events (subject_id);
CREATE INDEX ix_events_type_id ON events (type, id);
CREATE INDEX ix_events_xid_sequence ON events (xid, sequence);

CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status_code integer NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '72 hours',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (caller, method, route, key)
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE TABLE maintenance_cursors (
    name text NOT NULL,
    moment timestamptz NOT NULL,
    id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_maintenance_cursors PRIMARY KEY (name)
);

CREATE TABLE quota_usage (
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    used_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_quota_usage PRIMARY KEY (kind, subject_id)
);
CREATE INDEX ix_quota_usage_used_until ON quota_usage (used_until);

CREATE TABLE session_count_changes (
    id bigint GENERATED ALWAYS AS IDENTITY,
    mentor_profile_id uuid NOT NULL,
    counter text NOT NULL,
    amount integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_session_count_changes PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE skills (
    skill text NOT NULL,
    mentors integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_skills PRIMARY KEY (skill),
    CONSTRAINT ck_skills_mentors CHECK (mentors >= 0)
);
CREATE INDEX ix_skills_mentors_skill ON skills (mentors DESC, skill);

CREATE TABLE spent_links (
    action text NOT NULL,
    subject_id uuid NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_spent_links PRIMARY KEY (action, subject_id, user_id, expires_at)
);
CREATE INDEX ix_spent_links_expires_at ON spent_links (expires_at);

CREATE TABLE subscriptions (
    effect text NOT NULL,
    event_type text NOT NULL,
    queue text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_subscriptions PRIMARY KEY (effect, event_type)
);

CREATE TABLE users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    locale text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    links_version integer NOT NULL DEFAULT 0,
    erased_at timestamptz,
    erasure_ended_at timestamptz,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_locale CHECK (char_length(locale) BETWEEN 2 AND 35),
    CONSTRAINT ck_users_email_length CHECK (char_length(email) BETWEEN 3 AND 320),
    CONSTRAINT ck_users_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);
CREATE INDEX ix_users_being_erased ON users (erased_at) WHERE erased_at IS NOT NULL AND erasure_ended_at IS NULL;
CREATE UNIQUE INDEX uq_users_email ON users (lower(email));

CREATE TABLE violations (
    invariant text NOT NULL,
    subject text NOT NULL,
    about text NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_violations PRIMARY KEY (invariant, subject)
);

CREATE TABLE calendar_secrets (
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_calendar_secrets PRIMARY KEY (user_id),
    CONSTRAINT ck_calendar_secrets_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT fk_calendar_secrets_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT uq_calendar_secrets_digest UNIQUE (digest)
);

CREATE TABLE deliveries (
    event_id uuid NOT NULL,
    effect text NOT NULL,
    target text NOT NULL DEFAULT '',
    id uuid NOT NULL,
    queue text NOT NULL,
    state delivery_state NOT NULL DEFAULT 'pending',
    due_at timestamptz NOT NULL,
    nudge_at timestamptz NOT NULL,
    nudges integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    forgiven integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    last_error text,
    cancel_reason text,
    put_off_until timestamptz,
    done_at timestamptz,
    endpoint_id uuid,
    turn_rate integer,
    resend integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_deliveries PRIMARY KEY (event_id, effect, target),
    CONSTRAINT ck_deliveries_counters CHECK (nudges >= 0 AND attempts >= 0),
    CONSTRAINT ck_deliveries_forgiven CHECK (forgiven BETWEEN 0 AND attempts),
    CONSTRAINT ck_deliveries_done_at CHECK ((done_at IS NOT NULL) = (state = 'done')),
    CONSTRAINT ck_deliveries_cancel_reason
        CHECK (cancel_reason IS NULL OR (state = 'cancelled'
        AND cancel_reason IN ('deleted', 'not_listening', 'too_large'))),
    CONSTRAINT fk_deliveries_event_id FOREIGN KEY (event_id) REFERENCES events (id)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX ix_deliveries_cancelled ON deliveries (event_id) WHERE state = 'cancelled';
CREATE INDEX ix_deliveries_dead ON deliveries (effect, event_id) WHERE state = 'dead';
CREATE INDEX ix_deliveries_effect_due_at ON deliveries (effect, due_at) WHERE state = 'pending' AND lease_until IS NULL;
CREATE INDEX ix_deliveries_missed ON deliveries (event_id) WHERE cancel_reason = 'not_listening' AND attempts = 0;
CREATE INDEX ix_deliveries_queue_nudge_at ON deliveries (queue, nudge_at) WHERE state = 'pending';
CREATE INDEX ix_deliveries_turns
    ON deliveries (due_at)
    WHERE effect = 'webhooks.send' AND state = 'pending' AND lease_until IS NULL AND turn_rate IS NOT NULL;
CREATE INDEX ix_deliveries_webhook ON deliveries (endpoint_id, event_id) WHERE effect = 'webhooks.send';
CREATE INDEX ix_deliveries_webhook_failed ON deliveries (endpoint_id, event_id)
    WHERE effect = 'webhooks.send' AND (state = 'dead' OR cancel_reason = 'not_listening');
CREATE INDEX ix_deliveries_webhook_pending ON deliveries (endpoint_id, due_at)
    WHERE effect = 'webhooks.send' AND state = 'pending';
CREATE UNIQUE INDEX uq_deliveries_id ON deliveries (id);

CREATE TABLE email_changes (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    email text NOT NULL,
    former_email text NOT NULL,
    expires_at timestamptz NOT NULL,
    open boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_email_changes PRIMARY KEY (id),
    CONSTRAINT ck_email_changes_email_length CHECK (char_length(email) BETWEEN 3 AND 320),
    CONSTRAINT fk_email_changes_user_id FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_email_changes_expires_at ON email_changes (expires_at);
CREATE INDEX ix_email_changes_user_id_expires_at ON email_changes (user_id, expires_at);
CREATE UNIQUE INDEX uq_email_changes_open ON email_changes (user_id) WHERE open;

CREATE TABLE mentor_profiles (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    headline text NOT NULL,
    bio text,
    time_zone text NOT NULL DEFAULT 'UTC',
    skills text[] NOT NULL DEFAULT '{}',
    avatar_url text,
    languages text[] NOT NULL DEFAULT '{}',
    rating_sum integer NOT NULL DEFAULT 0,
    review_count integer NOT NULL DEFAULT 0,
    active boolean NOT NULL DEFAULT true,
    calendar_version integer NOT NULL DEFAULT 0,
    search tsvector NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_mentor_profiles PRIMARY KEY (id),
    CONSTRAINT ck_mentor_profiles_headline_length CHECK (char_length(headline) BETWEEN 1 AND 200),
    CONSTRAINT ck_mentor_profiles_avatar_url CHECK (avatar_url ~ '^https?://' AND char_length(avatar_url) <= 2000),
    CONSTRAINT ck_mentor_profiles_rating_within_one_to_five
        CHECK (rating_sum BETWEEN review_count AND 5 * review_count),
    CONSTRAINT uq_mentor_profiles_user_id UNIQUE (user_id),
    CONSTRAINT fk_mentor_profiles_user_id FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_mentor_profiles_rating
    ON mentor_profiles ((100 * rating_sum / GREATEST(review_count, 1)), review_count, id);
CREATE INDEX ix_mentor_profiles_search ON mentor_profiles USING gin (search) WITH (fastupdate = off);
CREATE INDEX ix_mentor_profiles_skills ON mentor_profiles USING gin (skills);

CREATE TABLE notification_preferences (
    user_id uuid NOT NULL,
    kind text NOT NULL,
    channel notification_channel NOT NULL,
    wanted boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_notification_preferences PRIMARY KEY (user_id, kind, channel),
    CONSTRAINT fk_notification_preferences_user_id FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE products (
    id uuid NOT NULL,
    course_id uuid NOT NULL,
    kind product_kind NOT NULL,
    title text NOT NULL,
    session_count integer NOT NULL DEFAULT 1,
    duration_minutes integer,
    price_amount bigint NOT NULL,
    price_currency text NOT NULL,
    valid_days integer,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_products PRIMARY KEY (id),
    CONSTRAINT ck_products_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT ck_products_session_count CHECK (session_count BETWEEN 1 AND 1000),
    CONSTRAINT ck_products_several_in_a_bundle CHECK (kind = 'bundle' OR (session_count = 1 AND valid_days IS NULL)),
    CONSTRAINT ck_products_duration_minutes CHECK (duration_minutes BETWEEN 5 AND 1440),
    CONSTRAINT ck_products_price_amount CHECK (price_amount >= 0),
    CONSTRAINT ck_products_price_currency CHECK (price_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_products_valid_days CHECK (valid_days BETWEEN 1 AND 3660),
    CONSTRAINT uq_products_id_course_id UNIQUE (id, course_id),
    CONSTRAINT fk_products_course_id FOREIGN KEY (course_id) REFERENCES courses (id)
);
CREATE INDEX ix_products_course_id_id ON products (course_id, id);

CREATE TABLE push_subscriptions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    endpoint_digest text NOT NULL,
    sealed text NOT NULL,
    host text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_push_subscriptions PRIMARY KEY (id),
    CONSTRAINT fk_push_subscriptions_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT uq_push_subscriptions_endpoint_digest UNIQUE (endpoint_digest)
);
CREATE INDEX ix_push_subscriptions_user_id_id ON push_subscriptions (user_id, id);

CREATE TABLE availability_announcements (
    mentor_profile_id uuid NOT NULL,
    announced_at timestamptz NOT NULL,
    held_back integer NOT NULL DEFAULT 0,
    event_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_availability_announcements PRIMARY KEY (mentor_profile_id),
    CONSTRAINT ck_availability_announcements_held_back
        CHECK (held_back >= 0 AND (held_back > 0) = (event_id IS NOT NULL)),
    CONSTRAINT fk_availability_announcements_mentor_profile_id FOREIGN KEY (mentor_profile_id)
        REFERENCES mentor_profiles (id)
);

CREATE TABLE booking_rules (
    mentor_profile_id uuid NOT NULL,
    step_minutes integer NOT NULL DEFAULT 15,
    horizon_days integer,
    max_per_day integer,
    max_per_week integer,
    max_per_mentee_per_day integer,
    max_per_mentee_per_week integer,
    stale_calendars text NOT NULL DEFAULT 'ignore',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_booking_rules PRIMARY KEY (mentor_profile_id),
    CONSTRAINT ck_booking_rules_step_minutes CHECK (step_minutes BETWEEN 5 AND 1440),
    CONSTRAINT ck_booking_rules_horizon_days CHECK (horizon_days BETWEEN 1 AND 1830),
    CONSTRAINT ck_booking_rules_max_per_day CHECK (max_per_day BETWEEN 1 AND 1000),
    CONSTRAINT ck_booking_rules_max_per_week CHECK (max_per_week BETWEEN 1 AND 1000),
    CONSTRAINT ck_booking_rules_max_per_mentee_per_day CHECK (max_per_mentee_per_day BETWEEN 1 AND 1000),
    CONSTRAINT ck_booking_rules_max_per_mentee_per_week CHECK (max_per_mentee_per_week BETWEEN 1 AND 1000),
    CONSTRAINT ck_booking_rules_stale_calendars CHECK (stale_calendars IN ('ignore', 'refuse')),
    CONSTRAINT fk_booking_rules_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);

CREATE TABLE bundle_purchases (
    id uuid NOT NULL,
    mentee_user_id uuid NOT NULL,
    course_id uuid NOT NULL,
    product_id uuid NOT NULL,
    total_sessions integer NOT NULL,
    remaining_sessions integer NOT NULL,
    duration_minutes integer,
    price_amount bigint NOT NULL,
    price_currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_bundle_purchases PRIMARY KEY (id),
    CONSTRAINT fk_bundle_purchases_product_id_course_id FOREIGN KEY (product_id, course_id)
        REFERENCES products (id, course_id),
    CONSTRAINT ck_bundle_purchases_remaining_sessions CHECK (remaining_sessions BETWEEN 0 AND total_sessions),
    CONSTRAINT ck_bundle_purchases_valid_to CHECK (valid_to > valid_from),
    CONSTRAINT ck_bundle_purchases_closed_when_exhausted CHECK (remaining_sessions > 0 OR closed_at IS NOT NULL),
    CONSTRAINT fk_bundle_purchases_mentee_user_id FOREIGN KEY (mentee_user_id) REFERENCES users (id)
);
CREATE INDEX ix_bundle_purchases_mentee_user_id_id ON bundle_purchases (mentee_user_id, id);
CREATE INDEX ix_bundle_purchases_updated_at_id ON bundle_purchases (updated_at, id);
CREATE UNIQUE INDEX uq_bundle_purchases_open ON bundle_purchases (mentee_user_id, course_id, product_id)
    WHERE closed_at IS NULL;

CREATE TABLE calendar_feeds (
    id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    name text,
    sealed_url text NOT NULL,
    url_digest bytea NOT NULL,
    origin text NOT NULL,
    scheduled_by uuid NOT NULL,
    next_fetch_at timestamptz NOT NULL,
    attempted_at timestamptz,
    fetched_at timestamptz,
    stale_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    last_error text,
    etag text,
    last_modified text,
    content_digest bytea,
    busy_until timestamptz,
    time_zone text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_calendar_feeds PRIMARY KEY (id),
    CONSTRAINT uq_calendar_feeds_mentor_profile_id_url_digest UNIQUE (mentor_profile_id, url_digest),
    CONSTRAINT uq_calendar_feeds_mentor_profile_id_id UNIQUE (mentor_profile_id, id),
    CONSTRAINT ck_calendar_feeds_name_length CHECK (char_length(name) <= 200),
    CONSTRAINT ck_calendar_feeds_url_digest CHECK (octet_length(url_digest) = 32),
    CONSTRAINT ck_calendar_feeds_failures CHECK (failures >= 0),
    CONSTRAINT fk_calendar_feeds_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);

CREATE TABLE date_hours (
    mentor_profile_id uuid NOT NULL,
    day date NOT NULL,
    time_zone text NOT NULL,
    spans jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_date_hours PRIMARY KEY (mentor_profile_id, day),
    CONSTRAINT ck_date_hours_spans_are_an_array CHECK (jsonb_typeof(spans) = 'array'),
    CONSTRAINT fk_date_hours_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);

CREATE TABLE deleted_webhook_endpoints (
    id uuid NOT NULL,
    mentor_profile_id uuid,
    deliveries_left boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_deleted_webhook_endpoints PRIMARY KEY (id),
    CONSTRAINT fk_deleted_webhook_endpoints_mentor_profile_id FOREIGN KEY (mentor_profile_id)
        REFERENCES mentor_profiles (id)
);
CREATE INDEX ix_deleted_webhook_endpoints_deliveries_left ON deleted_webhook_endpoints (id) WHERE deliveries_left;

CREATE TABLE delivery_attempts (
    event_id uuid NOT NULL,
    effect text NOT NULL,
    target text NOT NULL,
    attempt integer NOT NULL,
    outcome text NOT NULL,
    error text,
    error_class text,
    status_code integer,
    response text,
    duration_ms integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_delivery_attempts PRIMARY KEY (event_id, effect, target, attempt),
    CONSTRAINT fk_delivery_attempts_event_id_effect_target FOREIGN KEY (event_id, effect, target)
        REFERENCES deliveries (event_id, effect, target),
    CONSTRAINT ck_delivery_attempts_outcome CHECK (outcome IN ('done', 'retry', 'cancelled', 'dead')),
    CONSTRAINT ck_delivery_attempts_duration_ms CHECK (duration_ms >= 0),
    CONSTRAINT ck_delivery_attempts_error_class
        CHECK (error_class IN ('connect', 'dns', 'header', 'internal', 'protocol', 'redirect', 'refused_address',
        'status', 'timeout', 'tls', 'deleted', 'not_listening', 'too_large'))
);
CREATE INDEX ix_delivery_attempts_internal ON delivery_attempts (event_id) WHERE error_class = 'internal';

CREATE TABLE group_session_templates (
    id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    course_id uuid,
    product_id uuid,
    title text NOT NULL,
    weekday smallint NOT NULL,
    start_time time NOT NULL,
    time_zone text NOT NULL,
    duration_minutes integer NOT NULL,
    capacity integer NOT NULL,
    price_amount bigint NOT NULL,
    price_currency text NOT NULL,
    early_start_minutes integer DEFAULT 15,
    buffer_minutes integer NOT NULL DEFAULT 0,
    cancellation_window_hours integer DEFAULT 24,
    late_fee_percent integer NOT NULL DEFAULT 50,
    location jsonb,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_group_session_templates PRIMARY KEY (id),
    CONSTRAINT fk_group_session_templates_product_id_course_id FOREIGN KEY (product_id, course_id)
        REFERENCES products (id, course_id),
    CONSTRAINT ck_group_session_templates_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT ck_group_session_templates_weekday CHECK (weekday BETWEEN 0 AND 6),
    CONSTRAINT ck_group_session_templates_duration_minutes CHECK (duration_minutes BETWEEN 5 AND 1440),
    CONSTRAINT ck_group_session_templates_capacity CHECK (capacity BETWEEN 1 AND 1000),
    CONSTRAINT ck_group_session_templates_price_amount CHECK (price_amount >= 0),
    CONSTRAINT ck_group_session_templates_price_currency CHECK (price_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_group_session_templates_early_start_minutes CHECK (early_start_minutes >= 0),
    CONSTRAINT ck_group_session_templates_buffer_minutes CHECK (buffer_minutes BETWEEN 0 AND 1440),
    CONSTRAINT ck_group_session_templates_cancellation_window_hours CHECK (cancellation_window_hours >= 0),
    CONSTRAINT ck_group_session_templates_late_fee_percent CHECK (late_fee_percent BETWEEN 0 AND 100),
    CONSTRAINT ck_group_session_templates_location_is_an_object CHECK (jsonb_typeof(location) = 'object'),
    CONSTRAINT fk_group_session_templates_mentor_profile_id FOREIGN KEY (mentor_profile_id)
        REFERENCES mentor_profiles (id),
    CONSTRAINT fk_group_session_templates_course_id FOREIGN KEY (course_id) REFERENCES courses (id)
);
CREATE INDEX ix_group_session_templates_mentor_profile_id_id ON group_session_templates (mentor_profile_id, id);

CREATE TABLE listings (
    id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    course_id uuid,
    title text NOT NULL,
    description text,
    duration_minutes integer NOT NULL,
    price_amount bigint NOT NULL,
    price_currency text NOT NULL,
    booking_mode booking_mode NOT NULL DEFAULT 'request',
    early_start_minutes integer DEFAULT 15,
    min_notice_minutes integer NOT NULL DEFAULT 0,
    buffer_before_minutes integer NOT NULL DEFAULT 0,
    buffer_minutes integer NOT NULL DEFAULT 0,
    cancellation_window_hours integer DEFAULT 24,
    late_fee_percent integer NOT NULL DEFAULT 50,
    reminder_minutes integer[],
    location jsonb,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_listings PRIMARY KEY (id),
    CONSTRAINT ck_listings_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT ck_listings_duration_minutes CHECK (duration_minutes BETWEEN 5 AND 1440),
    CONSTRAINT ck_listings_price_amount CHECK (price_amount >= 0),
    CONSTRAINT ck_listings_price_currency CHECK (price_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_listings_early_start_minutes CHECK (early_start_minutes >= 0),
    CONSTRAINT ck_listings_min_notice_minutes CHECK (min_notice_minutes >= 0),
    CONSTRAINT ck_listings_buffer_before_minutes CHECK (buffer_before_minutes BETWEEN 0 AND 1440),
    CONSTRAINT ck_listings_buffer_minutes CHECK (buffer_minutes BETWEEN 0 AND 1440),
    CONSTRAINT ck_listings_cancellation_window_hours CHECK (cancellation_window_hours >= 0),
    CONSTRAINT ck_listings_late_fee_percent CHECK (late_fee_percent BETWEEN 0 AND 100),
    CONSTRAINT ck_listings_reminder_minutes
        CHECK (cardinality(reminder_minutes) <= 5 AND 1 <= ALL (reminder_minutes)
        AND 43200 >= ALL (reminder_minutes) AND array_position(reminder_minutes, NULL) IS NULL),
    CONSTRAINT uq_listings_id_mentor_profile_id UNIQUE (id, mentor_profile_id),
    CONSTRAINT ck_listings_location_is_an_object CHECK (jsonb_typeof(location) = 'object'),
    CONSTRAINT fk_listings_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT fk_listings_course_id FOREIGN KEY (course_id) REFERENCES courses (id)
);
CREATE INDEX ix_listings_mentor_profile_id_id ON listings (mentor_profile_id, id);
CREATE INDEX ix_listings_of_a_duration ON listings (mentor_profile_id, duration_minutes, price_amount, id) WHERE active;
CREATE INDEX ix_listings_price_amount_id ON listings (price_amount, id) WHERE active;
CREATE INDEX ix_listings_price_currency_price_amount_id ON listings (price_currency, price_amount, id) WHERE active;
CREATE UNIQUE INDEX uq_listings_course_id_mentor_profile_id_duration_minutes
    ON listings (course_id, mentor_profile_id, duration_minutes) WHERE active;

CREATE TABLE session_counts (
    mentor_profile_id uuid NOT NULL,
    counter text NOT NULL,
    amount integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_session_counts PRIMARY KEY (mentor_profile_id, counter),
    CONSTRAINT fk_session_counts_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);

CREATE TABLE time_off (
    id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_time_off PRIMARY KEY (id),
    CONSTRAINT ck_time_off_ends_after_it_starts CHECK (end_time > start_time),
    CONSTRAINT ck_time_off_reason_length CHECK (char_length(reason) <= 1000),
    CONSTRAINT fk_time_off_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);
CREATE INDEX ix_time_off_mentor_profile_id_end_time ON time_off (mentor_profile_id, end_time);
CREATE INDEX ix_time_off_mentor_profile_id_start_time_id ON time_off (mentor_profile_id, start_time DESC, id);

CREATE TABLE webhook_endpoints (
    id uuid NOT NULL,
    mentor_profile_id uuid,
    url text NOT NULL,
    event_types text[] NOT NULL,
    description text,
    headers jsonb NOT NULL DEFAULT '{}',
    rate_limit integer,
    state webhook_endpoint_state NOT NULL DEFAULT 'pending',
    disabled_reason text,
    signing webhook_signing NOT NULL DEFAULT 'hmac-sha256',
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    open_until timestamptz,
    warned_at timestamptz,
    exhausted_at timestamptz,
    active_until timestamptz NOT NULL DEFAULT now(),
    next_send_at timestamptz,
    hastens boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id),
    CONSTRAINT uq_webhook_endpoints_mentor_profile_id_url UNIQUE NULLS NOT DISTINCT (mentor_profile_id, url),
    CONSTRAINT ck_webhook_endpoints_url_length CHECK (char_length(url) BETWEEN 8 AND 2048),
    CONSTRAINT ck_webhook_endpoints_event_types_not_empty CHECK (cardinality(event_types) > 0),
    CONSTRAINT ck_webhook_endpoints_headers_are_an_object CHECK (jsonb_typeof(headers) = 'object'),
    CONSTRAINT ck_webhook_endpoints_rate_limit CHECK (rate_limit > 0),
    CONSTRAINT ck_webhook_endpoints_disabled_reason CHECK ((disabled_reason IS NOT NULL) = (state = 'disabled')),
    CONSTRAINT ck_webhook_endpoints_failures CHECK (failures >= 0 AND (failures > 0) = (failing_since IS NOT NULL)),
    CONSTRAINT ck_webhook_endpoints_only_failures_open_or_warn
        CHECK (failures > 0 OR (open_until IS NULL AND warned_at IS NULL)),
    CONSTRAINT fk_webhook_endpoints_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);
CREATE INDEX ix_webhook_endpoints_hastens ON webhook_endpoints (id) WHERE hastens;

CREATE TABLE weekly_hours (
    id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    revision integer NOT NULL,
    time_zone text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_weekly_hours PRIMARY KEY (id),
    CONSTRAINT uq_weekly_hours_mentor_profile_id_revision UNIQUE (mentor_profile_id, revision),
    CONSTRAINT ck_weekly_hours_revision CHECK (revision >= 1),
    CONSTRAINT ck_weekly_hours_holds_until_after_since CHECK (until >= since),
    CONSTRAINT fk_weekly_hours_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);
CREATE UNIQUE INDEX uq_weekly_hours_present ON weekly_hours (mentor_profile_id) WHERE until IS NULL;

CREATE TABLE availability_rules (
    weekly_hours_id uuid NOT NULL,
    weekday smallint NOT NULL,
    opens smallint NOT NULL,
    closes smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_availability_rules PRIMARY KEY (weekly_hours_id, weekday, opens),
    CONSTRAINT ck_availability_rules_weekday CHECK (weekday BETWEEN 0 AND 6),
    CONSTRAINT ck_availability_rules_within_a_day CHECK (0 <= opens AND opens < closes AND closes <= 1440),
    CONSTRAINT ex_availability_rules_weekly_hours_id_weekday
        EXCLUDE USING gist (weekly_hours_id WITH =, weekday WITH =, int4range(opens, closes) WITH &&),
    CONSTRAINT fk_availability_rules_weekly_hours_id FOREIGN KEY (weekly_hours_id) REFERENCES weekly_hours (id)
);

CREATE TABLE bookings (
    id uuid NOT NULL,
    listing_id uuid,
    mentor_profile_id uuid NOT NULL,
    mentee_user_id uuid,
    course_id uuid,
    kind booking_kind NOT NULL DEFAULT 'individual',
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    status booking_status NOT NULL,
    title text,
    notes text,
    metadata jsonb,
    price_amount bigint NOT NULL,
    price_currency text NOT NULL,
    product_id uuid,
    bundle_purchase_id uuid,
    series_id uuid,
    buffer_before_minutes integer NOT NULL DEFAULT 0,
    buffer_minutes integer NOT NULL DEFAULT 0,
    early_start_minutes integer,
    cancellation_window_hours integer,
    late_fee_percent integer NOT NULL,
    reminder_minutes integer[],
    location jsonb,
    session_id uuid,
    decline_reason text,
    cancel_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_bookings PRIMARY KEY (id),
    CONSTRAINT fk_bookings_listing_id_mentor_profile_id FOREIGN KEY (listing_id, mentor_profile_id)
        REFERENCES listings (id, mentor_profile_id),
    CONSTRAINT uq_bookings_id_start_time_end_time_mentor_profile_id
        UNIQUE (id, start_time, end_time, mentor_profile_id),
    CONSTRAINT ck_bookings_ends_after_it_starts CHECK (end_time > start_time),
    CONSTRAINT ck_bookings_listing_unless_group CHECK ((listing_id IS NULL) = (kind = 'group')),
    CONSTRAINT ck_bookings_late_fee_percent CHECK (late_fee_percent BETWEEN 0 AND 100),
    CONSTRAINT ck_bookings_mentee_unless_group CHECK ((mentee_user_id IS NULL) = (kind = 'group')),
    CONSTRAINT ck_bookings_session_id_once_accepted CHECK ((session_id IS NOT NULL) = (status = 'accepted')),
    CONSTRAINT ck_bookings_metadata_is_an_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT ck_bookings_location_is_an_object CHECK (jsonb_typeof(location) = 'object'),
    CONSTRAINT ck_bookings_price_amount CHECK (price_amount >= 0),
    CONSTRAINT ck_bookings_buffer_before_minutes CHECK (buffer_before_minutes >= 0),
    CONSTRAINT ck_bookings_buffer_minutes CHECK (buffer_minutes >= 0),
    CONSTRAINT fk_bookings_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT fk_bookings_mentee_user_id FOREIGN KEY (mentee_user_id) REFERENCES users (id),
    CONSTRAINT fk_bookings_course_id FOREIGN KEY (course_id) REFERENCES courses (id),
    CONSTRAINT fk_bookings_product_id FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT fk_bookings_bundle_purchase_id FOREIGN KEY (bundle_purchase_id) REFERENCES bundle_purchases (id),
    CONSTRAINT uq_bookings_session_id UNIQUE (session_id)
);
CREATE INDEX ix_bookings_bundle_purchase_id ON bookings (bundle_purchase_id) WHERE bundle_purchase_id IS NOT NULL;
CREATE INDEX ix_bookings_group_course_id_start_time_id ON bookings (course_id, start_time, id) WHERE kind = 'group';
CREATE INDEX ix_bookings_group_mentor_profile_id_start_time_id ON bookings (mentor_profile_id, start_time, id)
    WHERE kind = 'group';
CREATE INDEX ix_bookings_group_start_time_id ON bookings (start_time, id) WHERE kind = 'group';
CREATE INDEX ix_bookings_listing_id ON bookings (listing_id);
CREATE INDEX ix_bookings_mentee_user_id_created_at ON bookings (mentee_user_id, created_at)
    WHERE metadata IS NOT NULL OR octet_length(notes) > 1000;
CREATE INDEX ix_bookings_mentee_user_id_start_time_id ON bookings (mentee_user_id, start_time DESC, id);
CREATE INDEX ix_bookings_mentor_profile_id_start_time_id ON bookings (mentor_profile_id, start_time DESC, id);
CREATE INDEX ix_bookings_series_id ON bookings (series_id) WHERE series_id IS NOT NULL;
CREATE INDEX ix_bookings_start_time ON bookings (start_time);
CREATE INDEX ix_bookings_status_start_time ON bookings (status, start_time);
CREATE INDEX ix_bookings_updated_at_id ON bookings (updated_at, id);
CREATE UNIQUE INDEX uq_bookings_open_draft ON bookings (mentee_user_id, mentor_profile_id, start_time)
    WHERE status = 'draft';

CREATE TABLE outside_busy (
    mentor_profile_id uuid NOT NULL,
    calendar_feed_id uuid NOT NULL,
    busy tstzrange NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fk_outside_busy_mentor_profile_id_calendar_feed_id
        FOREIGN KEY (mentor_profile_id, calendar_feed_id) REFERENCES calendar_feeds (mentor_profile_id, id),
    CONSTRAINT ex_outside_busy_mentor_profile_id_calendar_feed_id_busy
        EXCLUDE USING gist (mentor_profile_id WITH =, calendar_feed_id WITH =, busy WITH &&),
    CONSTRAINT ck_outside_busy_busy_is_a_half_open_stretch
        CHECK (NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy)
        AND NOT upper_inc(busy))
);

CREATE TABLE webhook_secrets (
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    sealed_secret text NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_webhook_secrets PRIMARY KEY (id),
    CONSTRAINT fk_webhook_secrets_endpoint_id FOREIGN KEY (endpoint_id)
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_secrets_endpoint_id ON webhook_secrets (endpoint_id);

CREATE TABLE booking_participants (
    booking_id uuid NOT NULL,
    user_id uuid NOT NULL,
    seat_id uuid,
    price_amount bigint,
    price_currency text,
    product_id uuid,
    bundle_purchase_id uuid,
    present boolean,
    start_time timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_booking_participants PRIMARY KEY (booking_id, user_id),
    CONSTRAINT ck_booking_participants_seat CHECK (num_nonnulls(seat_id, price_amount, price_currency) IN (0, 3)),
    CONSTRAINT ck_booking_participants_start_time_of_a_seat CHECK ((start_time IS NULL) = (seat_id IS NULL)),
    CONSTRAINT ck_booking_participants_absence_from_a_group CHECK (present IS NOT FALSE OR seat_id IS NOT NULL),
    CONSTRAINT fk_booking_participants_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_booking_participants_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT uq_booking_participants_seat_id UNIQUE (seat_id),
    CONSTRAINT fk_booking_participants_product_id FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT fk_booking_participants_bundle_purchase_id FOREIGN KEY (bundle_purchase_id)
        REFERENCES bundle_purchases (id)
);
CREATE INDEX ix_booking_participants_user_id ON booking_participants (user_id);
CREATE INDEX ix_booking_participants_user_id_start_time_booking_id
    ON booking_participants (user_id, start_time DESC, booking_id) WHERE seat_id IS NOT NULL;

CREATE TABLE bundle_entries (
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    bundle_purchase_id uuid NOT NULL,
    kind bundle_entry_kind NOT NULL,
    credits integer NOT NULL,
    balance integer NOT NULL,
    booking_id uuid,
    seat_id uuid,
    reason text,
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_bundle_entries PRIMARY KEY (id),
    CONSTRAINT ck_bundle_entries_balance CHECK (balance >= 0),
    CONSTRAINT ck_bundle_entries_credits
        CHECK (CASE kind WHEN 'purchase' THEN credits > 0 WHEN 'spend' THEN credits = -1
        WHEN 'give_back' THEN credits = 1 WHEN 'expire' THEN credits < 0 ELSE true END),
    CONSTRAINT ck_bundle_entries_booking_id CHECK ((booking_id IS NOT NULL) = (kind IN ('spend', 'give_back'))),
    CONSTRAINT fk_bundle_entries_bundle_purchase_id FOREIGN KEY (bundle_purchase_id) REFERENCES bundle_purchases (id),
    CONSTRAINT fk_bundle_entries_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id)
);
CREATE INDEX ix_bundle_entries_bundle_purchase_id_sequence ON bundle_entries (bundle_purchase_id, sequence);
CREATE UNIQUE INDEX uq_bundle_entries_booking_id_kind ON bundle_entries (booking_id, kind) WHERE seat_id IS NULL;
CREATE UNIQUE INDEX uq_bundle_entries_seat_id_kind ON bundle_entries (seat_id, kind);

CREATE TABLE group_sessions (
    booking_id uuid NOT NULL,
    template_id uuid NOT NULL,
    occurs_on date NOT NULL,
    capacity integer NOT NULL,
    seats_taken integer NOT NULL DEFAULT 0,
    seats_offered integer NOT NULL DEFAULT 0,
    cancelled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_group_sessions PRIMARY KEY (booking_id),
    CONSTRAINT ck_group_sessions_capacity CHECK (capacity BETWEEN 1 AND 1000),
    CONSTRAINT ck_group_sessions_seats
        CHECK (seats_taken >= 0 AND seats_offered >= 0 AND seats_taken + seats_offered <= capacity),
    CONSTRAINT fk_group_sessions_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_group_sessions_template_id FOREIGN KEY (template_id) REFERENCES group_session_templates (id)
);
CREATE INDEX ix_group_sessions_updated_at_booking_id ON group_sessions (updated_at, booking_id);
CREATE UNIQUE INDEX uq_group_sessions_template_id_occurs_on ON group_sessions (template_id, occurs_on)
    WHERE cancelled_at IS NULL;

CREATE TABLE person_busy (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    mentor_profile_id uuid,
    busy tstzrange NOT NULL,
    booking_id uuid,
    may_overlap boolean NOT NULL DEFAULT false,
    hold_id uuid,
    expires_at timestamptz,
    held_by_user_id uuid,
    held_start timestamptz,
    held_end timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_person_busy PRIMARY KEY (id),
    CONSTRAINT uq_person_busy_booking_id_user_id UNIQUE (booking_id, user_id),
    CONSTRAINT ex_person_busy_user_id_busy
        EXCLUDE USING gist (user_id WITH =, busy WITH &&, (CASE WHEN may_overlap THEN user_id ELSE id END) WITH <>),
    CONSTRAINT ck_person_busy_a_booking_or_a_hold CHECK (num_nonnulls(booking_id, hold_id) = 1),
    CONSTRAINT ck_person_busy_a_hold_is_whole
        CHECK (num_nonnulls(hold_id, expires_at, held_by_user_id, held_start, held_end) IN (0, 5)),
    CONSTRAINT ck_person_busy_a_hold_is_of_a_mentor CHECK (hold_id IS NULL OR mentor_profile_id IS NOT NULL),
    CONSTRAINT ck_person_busy_a_mentor_never_overlaps CHECK (NOT may_overlap OR mentor_profile_id IS NULL),
    CONSTRAINT ck_person_busy_busy_is_a_half_open_stretch
        CHECK (NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy)
        AND NOT upper_inc(busy)),
    CONSTRAINT fk_person_busy_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_person_busy_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT fk_person_busy_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_person_busy_held_by_user_id FOREIGN KEY (held_by_user_id) REFERENCES users (id)
);
CREATE INDEX ix_person_busy_expires_at ON person_busy (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX ix_person_busy_held_by_user_id_id ON person_busy (held_by_user_id, id) WHERE held_by_user_id IS NOT NULL;
CREATE UNIQUE INDEX uq_person_busy_hold_id ON person_busy (hold_id) WHERE hold_id IS NOT NULL;

CREATE TABLE seat_cancellations (
    seat_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    user_id uuid NOT NULL,
    late boolean NOT NULL,
    fee_amount bigint NOT NULL,
    refund_amount bigint NOT NULL,
    currency text NOT NULL,
    reason text,
    waived_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_seat_cancellations PRIMARY KEY (seat_id),
    CONSTRAINT ck_seat_cancellations_amounts CHECK (fee_amount >= 0 AND refund_amount >= 0),
    CONSTRAINT fk_seat_cancellations_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_seat_cancellations_user_id FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_seat_cancellations_booking_id ON seat_cancellations (booking_id);
CREATE INDEX ix_seat_cancellations_user_id ON seat_cancellations (user_id);

CREATE TABLE sessions (
    id uuid NOT NULL,
    booking_id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    mentee_user_id uuid,
    course_id uuid,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    status session_status NOT NULL,
    title text,
    description text,
    notes text,
    metadata jsonb,
    rating smallint,
    feedback text,
    action_items jsonb,
    started_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancellation jsonb,
    room uuid DEFAULT gen_random_uuid(),
    location jsonb,
    early_start_minutes integer,
    completion_reminded_at timestamptz,
    calendar_sequence integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_booking_id_start_time_end_time_mentor_profile_id
        FOREIGN KEY (booking_id, start_time, end_time, mentor_profile_id)
        REFERENCES bookings (id, start_time, end_time, mentor_profile_id),
    CONSTRAINT ck_sessions_rating CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT ck_sessions_calendar_sequence CHECK (calendar_sequence >= 0),
    CONSTRAINT ck_sessions_metadata_is_an_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT ck_sessions_action_items_are_a_list CHECK (jsonb_typeof(action_items) = 'array'),
    CONSTRAINT ck_sessions_started_at
        CHECK ((started_at IS NOT NULL) = (status IN ('in_progress', 'completed')) OR status = 'cancelled'),
    CONSTRAINT ck_sessions_begun_and_cancelled
        CHECK (status <> 'cancelled' OR started_at IS NULL
        OR (cancellation ->> 'cancelledBy') IS NOT DISTINCT FROM 'operator'),
    CONSTRAINT ck_sessions_completed_at CHECK ((completed_at IS NOT NULL) = (status = 'completed')),
    CONSTRAINT ck_sessions_cancelled_at CHECK ((cancelled_at IS NOT NULL) = (status = 'cancelled')),
    CONSTRAINT uq_sessions_booking_id UNIQUE (booking_id),
    CONSTRAINT fk_sessions_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_sessions_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT fk_sessions_mentee_user_id FOREIGN KEY (mentee_user_id) REFERENCES users (id),
    CONSTRAINT fk_sessions_course_id FOREIGN KEY (course_id) REFERENCES courses (id)
);
CREATE INDEX ix_sessions_mentee_user_id_start_time_id ON sessions (mentee_user_id, start_time DESC, id);
CREATE INDEX ix_sessions_mentor_profile_id_start_time_id ON sessions (mentor_profile_id, start_time DESC, id);
CREATE INDEX ix_sessions_start_time ON sessions (start_time);
CREATE INDEX ix_sessions_status_start_time ON sessions (status, start_time);
CREATE INDEX ix_sessions_to_complete ON sessions (start_time)
    WHERE status = 'in_progress' AND completion_reminded_at IS NULL;
CREATE INDEX ix_sessions_updated_at_id ON sessions (updated_at, id);

CREATE TABLE notifications (
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    user_id uuid NOT NULL,
    channel notification_channel NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    booking_id uuid,
    session_id uuid,
    read_at timestamptz,
    gathered_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT uq_notifications_event_id_user_id_channel UNIQUE (event_id, user_id, channel),
    CONSTRAINT ck_notifications_gathered_until CHECK (gathered_until IS NULL OR channel = 'email'),
    CONSTRAINT fk_notifications_event_id FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT fk_notifications_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_notifications_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_notifications_session_id FOREIGN KEY (session_id) REFERENCES sessions (id)
);
-- Before the next: of indexes that seem to cost the same, as they do for empty tables, the planner takes the latest.
CREATE INDEX ix_notifications_user_id_id ON notifications (user_id, id);
CREATE INDEX ix_notifications_gathered ON notifications (user_id, kind, gathered_until)
    WHERE gathered_until IS NOT NULL;
CREATE INDEX ix_notifications_mailed ON notifications (user_id, kind, id) WHERE channel = 'email';
CREATE INDEX ix_notifications_unread ON notifications (user_id, id) WHERE channel = 'in_app' AND read_at IS NULL;

CREATE TABLE review_permits (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    mentee_user_id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    unlocked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_review_permits PRIMARY KEY (id),
    CONSTRAINT uq_review_permits_session_id_mentee_user_id UNIQUE (session_id, mentee_user_id),
    CONSTRAINT uq_review_permits_session_id_mentee_user_id_mentor_profile_id
        UNIQUE (session_id, mentee_user_id, mentor_profile_id),
    CONSTRAINT ck_review_permits_expires_after_it_opens CHECK (expires_at > unlocked_at),
    CONSTRAINT fk_review_permits_session_id FOREIGN KEY (session_id) REFERENCES sessions (id),
    CONSTRAINT fk_review_permits_mentee_user_id FOREIGN KEY (mentee_user_id) REFERENCES users (id),
    CONSTRAINT fk_review_permits_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id)
);
CREATE INDEX ix_review_permits_mentee_user_id_id ON review_permits (mentee_user_id, id);

CREATE TABLE session_metrics (
    session_id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    course_id uuid,
    completed_at timestamptz NOT NULL,
    booked_minutes integer NOT NULL,
    request_to_decision_ms bigint,
    acceptance_to_session_ms bigint NOT NULL,
    start_delay_ms bigint NOT NULL,
    length_ms bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_session_metrics PRIMARY KEY (session_id),
    CONSTRAINT fk_session_metrics_session_id FOREIGN KEY (session_id) REFERENCES sessions (id),
    CONSTRAINT fk_session_metrics_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT fk_session_metrics_course_id FOREIGN KEY (course_id) REFERENCES courses (id)
);

CREATE TABLE waitlist_entries (
    id uuid NOT NULL,
    booking_id uuid NOT NULL,
    user_id uuid NOT NULL,
    offered_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_waitlist_entries PRIMARY KEY (id),
    CONSTRAINT uq_waitlist_entries_booking_id_user_id UNIQUE (booking_id, user_id),
    CONSTRAINT fk_waitlist_entries_booking_id FOREIGN KEY (booking_id) REFERENCES group_sessions (booking_id),
    CONSTRAINT fk_waitlist_entries_user_id FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_waitlist_entries_booking_id_id ON waitlist_entries (booking_id, id);
CREATE INDEX ix_waitlist_entries_user_id_id ON waitlist_entries (user_id, id);

CREATE TABLE reviews (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    mentee_user_id uuid NOT NULL,
    mentor_profile_id uuid NOT NULL,
    rating smallint NOT NULL,
    comment text,
    answer text,
    answered_at timestamptz,
    hidden_at timestamptz,
    hidden_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_reviews PRIMARY KEY (id),
    CONSTRAINT fk_reviews_session_id_mentee_user_id_mentor_profile_id
        FOREIGN KEY (session_id, mentee_user_id, mentor_profile_id)
        REFERENCES review_permits (session_id, mentee_user_id, mentor_profile_id),
    CONSTRAINT uq_reviews_session_id_mentee_user_id UNIQUE (session_id, mentee_user_id),
    CONSTRAINT ck_reviews_rating CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT ck_reviews_comment_length CHECK (char_length(comment) <= 5000),
    CONSTRAINT ck_reviews_answer_length CHECK (char_length(answer) BETWEEN 1 AND 5000),
    CONSTRAINT ck_reviews_answered_at CHECK (answer IS NULL OR answered_at IS NOT NULL),
    CONSTRAINT ck_reviews_hidden_at CHECK ((hidden_at IS NOT NULL) = (hidden_reason IS NOT NULL))
);
CREATE INDEX ix_reviews_mentor_profile_id_id ON reviews (mentor_profile_id, id);
CREATE INDEX ix_reviews_updated_at_id ON reviews (updated_at, id);
