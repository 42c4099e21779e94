SELECT m.cinema_id,
       m.name,
       m.email,
       c.name AS cinema,
       sum(f.takings) AS takings,
       (array_agg(f.title ORDER BY f.takings DESC, f.title))[1] AS best_film
FROM tickets.managers m
JOIN tickets.cinemas c ON c.id = m.cinema_id
LEFT JOIN (SELECT cinema_id, title, sum(takings) AS takings FROM tickets.screenings GROUP BY 1, 2) f ON f.cinema_id = m.cinema_id
GROUP BY m.cinema_id, m.name, m.email, c.name
