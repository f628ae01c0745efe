-- Makes the partition of a month, or the default one for NULL; returns whether it was made. Its bounds are the lowest
-- UUIDv7 of the month's first day and of the next month's, in UTC. A month of which the default partition has entries
-- gets no partition: its entries stay there together.
CREATE OR REPLACE FUNCTION make_audit_partition(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'audit_entries_' || coalesce(to_char(month, 'YYYY_MM'), 'default');
    lower uuid := CAST(
        lpad(to_hex(CAST(extract(epoch FROM month) * 1000 AS bigint)), 12, '0') || repeat('0', 20) AS uuid
    );
    upper uuid := CAST(
        lpad(to_hex(CAST(extract(epoch FROM (month + interval '1 month')) * 1000 AS bigint)), 12, '0') || repeat('0', 20)
        AS uuid
    );
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF month IS NOT NULL THEN
        PERFORM FROM audit_entries_default WHERE id >= lower AND id < upper;
        IF FOUND THEN
            RETURN false;
        END IF;
    END IF;
    -- Attaching a table locks out no writers; making it as a partition would.
    EXECUTE format(
        'CREATE TABLE %I (LIKE audit_entries INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', partition
    );
    EXECUTE format(
        'CREATE TRIGGER tr_audit_entries_truncate BEFORE TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()', partition
    );
    IF month IS NULL THEN
        EXECUTE format('ALTER TABLE audit_entries ATTACH PARTITION %I DEFAULT', partition);
    ELSE
        EXECUTE format(
            'ALTER TABLE audit_entries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, lower, upper
        );
    END IF;
    RETURN true;
END $$;
