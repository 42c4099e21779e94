SELECT c.person, f.genre, count(*)::integer AS clicks, max(c.at) AS last_at
FROM events.clicks c
JOIN catalog.films f USING (film_id)
WHERE c.at > now() - interval '7 days'
GROUP BY c.person, f.genre
