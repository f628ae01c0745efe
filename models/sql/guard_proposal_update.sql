-- A proposal of another time is answered once, and nothing else of it changes but an erasure of its reason.
CREATE OR REPLACE FUNCTION guard_proposal_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND OLD.status <> 'open' THEN
        PERFORM refuse(
            'tr_reschedule_proposals_status', format('A proposal cannot go from %s to %s.', OLD.status, NEW.status)
        );
    END IF;
    IF (NEW.id, NEW.session_id, NEW.from_time, NEW.start_time, NEW.proposed_by, NEW.proposed_by_user_id, NEW.expires_at)
        IS DISTINCT FROM
       (OLD.id, OLD.session_id, OLD.from_time, OLD.start_time, OLD.proposed_by, OLD.proposed_by_user_id, OLD.expires_at)
    THEN
        PERFORM refuse('tr_reschedule_proposals_unchangeable', 'Only the state of a proposal changes.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_reschedule_proposals_update BEFORE UPDATE ON reschedule_proposals
    FOR EACH ROW EXECUTE FUNCTION guard_proposal_update();
