-- A shop's stock: what lies where, and what was delivered.
CREATE TABLE levels (site text, sku text, quantity integer NOT NULL, PRIMARY KEY (site, sku));
CREATE TABLE deliveries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  sku text NOT NULL,
  quantity integer NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO levels SELECT 'site ' || s, 'sku-' || i, (i * s) % 7 FROM generate_series(1, 3) s, generate_series(1, 50) i;
INSERT INTO deliveries (sku, quantity, received_at) SELECT 'sku-' || i, i, now() - interval '1 hour' FROM generate_series(1, 50) i;
