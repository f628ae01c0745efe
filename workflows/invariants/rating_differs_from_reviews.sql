-- A mentor's rating is not that of their reviews: another sum or another number than those that are not hidden have.
SELECT m.id
FROM mentor_profiles m
LEFT JOIN (
    SELECT mentor_profile_id, sum(rating) AS rating_sum, count(*) AS review_count
    FROM reviews WHERE hidden_at IS NULL GROUP BY mentor_profile_id
) r ON r.mentor_profile_id = m.id
WHERE (m.rating_sum, m.review_count) IS DISTINCT FROM (coalesce(r.rating_sum, 0), coalesce(r.review_count, 0))
