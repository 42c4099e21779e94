CREATE SCHEMA accounting;
CREATE TABLE accounting.entries (
  id bigint PRIMARY KEY,
  reference text NOT NULL,
  amount numeric(14, 2) NOT NULL,
  posted_at timestamptz NOT NULL
);
INSERT INTO accounting.entries VALUES
  (1, 'TX1001', 1250.00, '2026-01-05 09:00+00'),
  (2, 'TX1002', -80.55, '2026-01-05 09:30+00'),
  (3, 'TX1003', 99.90, '2026-01-05 10:00+00'),
  (4, 'TX1004', 4000.00, '2026-01-06 08:00+00'),
  (5, 'TX1005', 12.34, '2026-01-06 08:10+00');
