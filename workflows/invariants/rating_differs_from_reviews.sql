-- A mentor's rating differs from their reviews: it has another sum or number than the reviews that are not hidden.
SELECT m.id, m.id AS about
FROM mentor_profiles m
CROSS JOIN LATERAL (
    SELECT coalesce(sum(rating), 0) AS rating_sum, count(*) AS review_count
    FROM reviews WHERE mentor_profile_id = m.id AND hidden_at IS NULL
) r
WHERE true
  AND m.id = ANY(:ids) -- part
  AND (m.rating_sum, m.review_count) IS DISTINCT FROM (r.rating_sum, r.review_count)
