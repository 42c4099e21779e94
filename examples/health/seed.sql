-- A product's organizations and people, what they did in it, and their tickets.
CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE members (
  email text PRIMARY KEY,
  name text NOT NULL,
  organization_id text NOT NULL REFERENCES organizations,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE logins (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL REFERENCES members,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tickets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organizations,
  priority text NOT NULL,
  status text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO organizations (id, name) VALUES ('acme', 'Acme Tools'), ('birch', 'Birch & Sons'), ('coral', 'Coral Travel');
INSERT INTO members (email, name, organization_id) VALUES
  ('ada@acme.example', 'Ada', 'acme'), ('ben@acme.example', 'Ben', 'acme'), ('bo@birch.example', 'Bo', 'birch'),
  ('cleo@coral.example', 'Cleo', 'coral'), ('carl@coral.example', 'Carl', 'coral');
INSERT INTO logins (email, at)
SELECT email, now() - d * interval '1 day'
FROM (VALUES ('ada@acme.example', 20), ('ben@acme.example', 12), ('bo@birch.example', 4), ('cleo@coral.example', 9)) v (email, days),
     generate_series(1, days) d;
INSERT INTO tickets (organization_id, priority, status) VALUES
  ('acme', 'low', 'solved'), ('birch', 'high', 'open'), ('birch', 'urgent', 'open'), ('coral', 'low', 'open');
