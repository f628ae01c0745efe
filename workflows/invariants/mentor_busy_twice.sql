-- Two blocks of one mentor's calendar overlap.
SELECT DISTINCT least(one.id, other.id) AS id, one.booking_id AS about
FROM mentor_busy one
JOIN mentor_busy other
  ON other.mentor_profile_id = one.mentor_profile_id AND other.busy && one.busy AND other.id <> one.id
WHERE true
  AND one.booking_id = ANY(:ids) -- part
