-- A change raises the version of a row. A transaction that sets `tutelage.keep_versions` changes only texts, in ways
-- that tell readers nothing new. Triggers fire in the order of their names: the guards come before this one.
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('tutelage.keep_versions', true) = 'on' THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_booking_rules_version BEFORE UPDATE ON booking_rules
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_bookings_version BEFORE UPDATE ON bookings
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_bundle_purchases_version BEFORE UPDATE ON bundle_purchases
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_calendar_feeds_version BEFORE UPDATE ON calendar_feeds
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_calendar_secrets_version BEFORE UPDATE ON calendar_secrets
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_courses_version BEFORE UPDATE ON courses
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_group_session_templates_version BEFORE UPDATE ON group_session_templates
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_group_sessions_version BEFORE UPDATE ON group_sessions
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_listings_version BEFORE UPDATE ON listings
    FOR EACH ROW EXECUTE FUNCTION touch();
-- A change of the calendar is none of the profile.
CREATE OR REPLACE TRIGGER tr_mentor_profiles_version BEFORE UPDATE ON mentor_profiles
    FOR EACH ROW WHEN (OLD.calendar_version = NEW.calendar_version) EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_notification_preferences_version BEFORE UPDATE ON notification_preferences
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_payments_version BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_products_version BEFORE UPDATE ON products
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_push_subscriptions_version BEFORE UPDATE ON push_subscriptions
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_reviews_version BEFORE UPDATE ON reviews
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_sessions_version BEFORE UPDATE ON sessions
    FOR EACH ROW EXECUTE FUNCTION touch();
CREATE OR REPLACE TRIGGER tr_users_version BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION touch();
-- Counting failures and pacing messages makes no new version of an endpoint: its owner sees these columns alone.
CREATE OR REPLACE TRIGGER tr_webhook_endpoints_version BEFORE UPDATE ON webhook_endpoints
    FOR EACH ROW WHEN (
        (
            OLD.url, OLD.event_types, OLD.description, OLD.headers,
            OLD.rate_limit, OLD.state, OLD.disabled_reason, OLD.signing
        ) IS DISTINCT FROM (
            NEW.url, NEW.event_types, NEW.description, NEW.headers,
            NEW.rate_limit, NEW.state, NEW.disabled_reason, NEW.signing
        )
    )
    EXECUTE FUNCTION touch();
