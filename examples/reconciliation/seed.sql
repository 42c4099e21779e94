-- A ledger. An entry is posted on a business day, and recorded at some other time: only the latter grows with every entry.
CREATE SCHEMA accounting;
CREATE TABLE accounting.entries (
  id bigint PRIMARY KEY,
  reference text NOT NULL UNIQUE,
  amount numeric(14, 2) NOT NULL,
  posted_on date NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO accounting.entries (id, reference, amount, posted_on) VALUES
  (1, 'TX1001', 1250.00, '2026-01-05'),
  (2, 'TX1002', -80.55, '2026-01-05'),
  (3, 'TX1003', 99.90, '2026-01-05'),
  (4, 'TX1004', 4000.00, '2026-01-06'),
  (5, 'TX1005', 12.34, '2026-01-06');
