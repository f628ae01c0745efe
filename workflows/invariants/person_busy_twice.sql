-- A person has two things in their calendar at one time, or something in it during an open session that it lacks.
SELECT DISTINCT b.id, b.id AS about
FROM bookings b
CROSS JOIN LATERAL (
    SELECT own.user_id, own.busy, own.may_overlap FROM person_busy own WHERE own.booking_id = b.id
    UNION ALL
    SELECT party.user_id, tstzrange(b.start_time, b.end_time), false
    FROM (
        SELECT m.user_id FROM mentor_profiles m WHERE m.id = b.mentor_profile_id
        UNION ALL
        SELECT p.user_id FROM booking_participants p WHERE p.booking_id = b.id
    ) AS party
    LEFT JOIN sessions s ON s.booking_id = b.id
    WHERE b.status = 'accepted' AND coalesce(s.status, 'scheduled') IN ('scheduled', 'in_progress')
      AND NOT EXISTS (SELECT FROM person_busy own WHERE own.booking_id = b.id AND own.user_id = party.user_id)
) AS part
JOIN person_busy other
  ON other.user_id = part.user_id AND other.busy && part.busy AND other.booking_id IS DISTINCT FROM b.id
WHERE true
  AND b.id = ANY(:ids) -- part
  AND NOT (part.may_overlap AND other.may_overlap)
