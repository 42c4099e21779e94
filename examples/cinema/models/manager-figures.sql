SELECT m.cinema_id,
       m.name,
       m.email,
       c.name AS cinema,
       sum(g.takings) AS takings,
       (array_agg(g.genre ORDER BY g.takings DESC, g.genre))[1] AS best_genre
FROM tickets.managers m
JOIN tickets.cinemas c ON c.id = m.cinema_id
LEFT JOIN (
  SELECT s.cinema_id, coalesce(f.genre, 'unknown') AS genre, sum(s.takings) AS takings
  FROM tickets.screenings s
  LEFT JOIN films.films f ON f.title = s.title AND f.released = s.released
  GROUP BY 1, 2
) g ON g.cinema_id = m.cinema_id
GROUP BY m.cinema_id, m.name, m.email, c.name
