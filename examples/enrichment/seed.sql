-- What a software company knows of its accounts: who they are, what they use, what they pay.
CREATE TABLE accounts (
  id text PRIMARY KEY,
  name text NOT NULL,
  domain text NOT NULL,
  seats integer NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE usage_days (
  account_id text NOT NULL REFERENCES accounts,
  day date NOT NULL,
  active_users integer NOT NULL,
  last_seen timestamptz NOT NULL,
  PRIMARY KEY (account_id, day)
);
CREATE TABLE subscriptions (account_id text PRIMARY KEY REFERENCES accounts, monthly_fee numeric(12, 2) NOT NULL);
INSERT INTO accounts (id, name, domain, seats) VALUES
  ('acme', 'Acme Tools', 'acme.example', 120), ('birch', 'Birch & Sons', 'birch.example', 15), ('coral', 'Coral Travel', 'coral.example', 40),
  ('dune', 'Dune Energy', 'dune.example', 300), ('elm', 'Elm Street Books', 'elm.example', 8);
INSERT INTO subscriptions VALUES ('acme', 4200.00), ('birch', 190.00), ('coral', 850.50), ('dune', 12000.00);
-- Elm has never logged in.
INSERT INTO usage_days
SELECT a.id, current_date - d, greatest(1, a.seats / (d + 1)), (current_date - d) + time '12:00' AT TIME ZONE 'UTC'
FROM accounts a, generate_series(1, 20) d
WHERE a.id <> 'elm';
