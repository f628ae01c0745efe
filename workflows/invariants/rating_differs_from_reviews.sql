-- A mentor's rating is not that of their reviews: another sum or another number than those that are not hidden have.
SELECT m.id, m.id AS about
FROM mentor_profiles m
CROSS JOIN LATERAL (
    SELECT coalesce(sum(rating), 0) AS rating_sum, count(*) AS review_count
    FROM reviews WHERE mentor_profile_id = m.id AND hidden_at IS NULL
) r
WHERE true
  AND m.id = ANY(:ids) -- part
  AND (m.rating_sum, m.review_count) IS DISTINCT FROM (r.rating_sum, r.review_count)
