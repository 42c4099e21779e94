-- The ticket system of a few cinemas; films by title and day of release, as in the public file.
CREATE TABLE cinemas (id integer PRIMARY KEY, name text NOT NULL, seats integer NOT NULL);
CREATE TABLE screenings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cinema_id integer NOT NULL REFERENCES cinemas,
  title text NOT NULL,
  released date NOT NULL,
  shown_at timestamptz NOT NULL,
  tickets integer NOT NULL,
  takings numeric(12, 2) NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE managers (cinema_id integer PRIMARY KEY REFERENCES cinemas, name text NOT NULL, email text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO cinemas SELECT i, 'Cinema ' || i, 80 + i * 35 FROM generate_series(1, 12) i;
INSERT INTO screenings (cinema_id, title, released, shown_at, tickets, takings, updated_at)
SELECT 1 + i % 12, f.title, f.released, timestamptz '2026-01-01 20:00+00' + (i % 300) * interval '1 day', (i * 7919) % 180, round(((i * 7919) % 180) * 9.50, 2),
       now() - interval '1 day'
FROM generate_series(1, 50000) i
JOIN (VALUES
  (0, 'The Matrix', date '1999-03-31'), (1, 'Titanic', date '1997-12-19'), (2, 'Avatar', date '2009-12-18'), (3, 'Toy Story', date '1995-11-22'),
  (4, 'Gladiator', date '2000-05-05'), (5, 'Up', date '2009-05-29'), (6, 'The Dark Knight', date '2008-07-18'), (7, 'Fargo', date '1996-03-08'),
  (8, 'Finding Nemo', date '2003-05-30'), (9, 'Nosferatu', date '1922-03-04')
) f (no, title, released) ON f.no = (i * 31 + i / 300) % 10;
-- The address of the seventh was mistyped.
INSERT INTO managers (cinema_id, name, email)
SELECT i, 'Manager ' || i, CASE WHEN i = 7 THEN 'manager-7.cinema.example' ELSE 'manager-' || i || '@cinema.example' END FROM generate_series(1, 12) i;
