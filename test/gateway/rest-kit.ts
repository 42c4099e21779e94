import { openTestGateway, type TestGateway, type TestGatewaySettings } from '../gateway-kit.ts';

/** Two tables with columns of every kind, and roles that see them differently. */
const tables = `
  CREATE TYPE marts.mood AS ENUM ('calm', 'busy');
  CREATE TABLE marts.customers (
    customer_id bigint PRIMARY KEY, name text NOT NULL, plan text, email text, region text NOT NULL, secret text,
    seats integer, level smallint, balance numeric(38,10), score double precision, ratio real, active boolean,
    born date, wakes time, seen timestamp, joined timestamptz, ref uuid, details jsonb, tags text[], photo bytea, mood marts.mood, host inet,
    "limit" integer, "odd,name" text);
  CREATE TABLE marts.orders (order_id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(12,2), placed timestamptz, note text);
  CREATE TABLE marts.seats (row_no integer, place text, taken boolean, PRIMARY KEY (row_no, place));
  CREATE TABLE marts.accounts (customer_id bigint PRIMARY KEY, iban text);
  INSERT INTO marts.customers
    SELECT 9007199254740990 + n, 'Customer ' || n, (ARRAY['free','pro',NULL])[1 + n % 3], 'c' || n || '@example.org', (ARRAY['eu','us'])[1 + n % 2],
      'hidden ' || n, n, n % 5, n + 0.0123456789, n / 8.0, n / 4.0, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END,
      date '2024-02-27' + n, time '08:00' + n * interval '1 minute', timestamp '2024-03-01 10:00:00.000001' + n * interval '1 hour',
      timestamptz '2024-03-01 10:00:00.000001Z' + n * interval '1 day', ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
      jsonb_build_object('n', n), ARRAY['a', 'b' || n], decode(lpad(to_hex(n), 4, '0'), 'hex'), (ARRAY['calm','busy'])[1 + n % 2]::marts.mood,
      ('10.0.0.' || n)::inet, n % 7, 'odd ' || n
    FROM generate_series(1, 40) n;
  INSERT INTO marts.orders
    SELECT n, 9007199254740990 + 1 + n % 10, n * 1.25, timestamptz '2024-05-01Z' + n * interval '1 hour', CASE n % 3 WHEN 0 THEN NULL ELSE 'note ' || n END
    FROM generate_series(1, 100) n;
  INSERT INTO marts.seats SELECT n, p, n = 2 FROM generate_series(1, 3) n, unnest(ARRAY['a/b', 'c d', 'é']) p;
  INSERT INTO marts.accounts SELECT 9007199254740990 + n, 'DE' || n FROM generate_series(1, 5) n;
  ANALYZE;`;

const apis = {
  customers: {
    dataset: 'marts.customers',
    key: 'customer_id',
    description: 'Customers and what is known of them.',
    relations: {
      orders: { dataset: 'marts.orders', on: 'customer_id' },
      account: { dataset: 'marts.accounts', on: 'customer_id', one: true },
    },
    roles: {
      analyst: { fields: 'all', mask: { email: 'hash', secret: 'redact' } },
      support: { fields: ['customer_id', 'name', 'plan', 'region'], rows: 'region = ${claim:region}' },
      regional: { fields: ['region'], rows: 'region = ANY (${claim:regions})' },
    },
    limit: { default: 10, max: 50 },
    rate: '100000/min',
  },
  orders: {
    dataset: 'marts.orders',
    key: 'order_id',
    relations: { customer: { api: 'customers', on: 'customer_id', one: true } },
    roles: { analyst: { fields: 'all' } },
    limit: { default: 10, max: 50 },
    rate: '100000/min',
  },
  seats: { dataset: 'marts.seats', key: ['row_no', 'place'], roles: { analyst: { fields: 'all' } }, rate: '100000/min' },
};

/** A gateway over these tables. */
export const openRestGateway = async (more: Partial<TestGatewaySettings> = {}): Promise<TestGateway> =>
  await openTestGateway({
    tables,
    apis,
    gateway: { rate: { role: '1000000/min', all: '1000000/min' }, mask_key: '${env:MASK_KEY}' },
    environment: { MASK_KEY: 'a key for tests, long enough to be one' },
    ...more,
  });

/** The id of the n-th customer: more than a JavaScript number can hold. */
export const customer = (n: number): string => String(9007199254740990n + BigInt(n));
