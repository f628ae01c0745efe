-- Two blocks of one mentor's calendar overlap.
SELECT one.id
FROM mentor_busy one
JOIN mentor_busy other
  ON other.mentor_profile_id = one.mentor_profile_id AND other.busy && one.busy AND other.id > one.id
