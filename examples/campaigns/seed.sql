-- A shop's customers and what they ordered; times are relative to now, so that the segments stay the same.
CREATE TABLE customers (
  id bigint PRIMARY KEY,
  email text NOT NULL,
  first_name text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  amount numeric(10, 2) NOT NULL,
  ordered_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
-- Hugo's address was mistyped at the till: Braze refuses it.
INSERT INTO customers (id, email, first_name) VALUES
  (1, 'ada@example.com', 'Ada'), (2, 'ben@example.com', 'Ben'), (3, 'cleo@example.com', 'Cleo'), (4, 'dan@example.com', 'Dan'),
  (5, 'eve@example.com', 'Eve'), (6, 'finn@example.com', 'Finn'), (7, 'gita@example.com', 'Gita'), (8, 'hugo.example.com', 'Hugo'),
  (9, 'ida@example.com', 'Ida'), (10, 'jan@example.com', 'Jan');
INSERT INTO orders (customer_id, amount, ordered_at) VALUES
  (1, 800.00, now() - interval '10 days'), (1, 450.00, now() - interval '40 days'),
  (2, 1900.00, now() - interval '20 days'),
  (3, 60.00, now() - interval '5 days'), (3, 30.00, now() - interval '70 days'),
  (4, 120.00, now() - interval '200 days'),
  (5, 1200.00, now() - interval '30 days'),
  (6, 75.50, now() - interval '15 days'),
  (8, 240.00, now() - interval '8 days'),
  (9, 1010.00, now() - interval '12 days'),
  (10, 700.00, now() - interval '3 days'), (10, 640.00, now() - interval '33 days');
