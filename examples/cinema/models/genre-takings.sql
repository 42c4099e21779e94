SELECT coalesce(f.genre, 'unknown') AS genre,
       count(DISTINCT s.title) AS films,
       count(*) AS screenings,
       sum(s.tickets) AS tickets,
       sum(s.takings) AS takings,
       round(avg(f.rating), 1) AS rating
FROM tickets.screenings s
LEFT JOIN films.films f ON f.title = s.title AND f.released = s.released
GROUP BY 1
ORDER BY takings DESC
