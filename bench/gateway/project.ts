/** The APIs that are measured: all guards on, with limits that a measurement doesn't reach. */
export const gatewayProject = `
project: gateway-bench
connections:
  warehouse: { type: postgres, url: '\${env:WAREHOUSE_URL}' }
gateway:
  listen: 127.0.0.1:8099
  rate: { role: 100000000/min, all: 100000000/min }
  concurrency: 256
apis:
  customers:
    dataset: marts.customers
    warehouse: warehouse
    key: customer_id
    relations:
      orders: { api: orders, on: customer_id }
    roles:
      service: { fields: all, mask: { email: redact }, rows: 'region = \${claim:region}' }
    rate: { service: 100000000/min }
  orders:
    dataset: marts.orders
    warehouse: warehouse
    key: order_id
    relations:
      items: { api: items, on: order_id }
    roles:
      service: { fields: all }
    rate: { service: 100000000/min }
  items:
    dataset: marts.items
    warehouse: warehouse
    key: item_id
    roles:
      service: { fields: all }
    rate: { service: 100000000/min }
  kept:
    dataset: marts.customers
    warehouse: warehouse
    key: customer_id
    roles:
      service: { fields: all, mask: { email: redact }, rows: 'region = \${claim:region}' }
    cache: { ttl: 10 minutes, until: load }
    rate: { service: 100000000/min }
`;

/** 20,000 customers in two regions, each of all plans, with 5 orders of 3 items each. */
export const gatewayTables = `
CREATE SCHEMA marts;
CREATE TABLE marts.customers AS SELECT i AS customer_id, 'Customer ' || i AS name, 'user' || i || '@example.com' AS email,
  (ARRAY['free', 'basic', 'pro', 'Geschäft'])[1 + i % 4] AS plan, i % 100 AS health_score, (i % 9999 + 0.25)::numeric(14,2) AS revenue,
  (ARRAY['EU', 'US'])[1 + i / 4 % 2] AS region, now() - i * interval '1 minute' AS updated_at FROM generate_series(1, 20000) i;
CREATE TABLE marts.orders AS SELECT i AS order_id, 1 + i % 20000 AS customer_id, (i % 500 + 0.5)::numeric(14,2) AS total,
  (ARRAY['paid', 'open'])[1 + i % 2] AS status, now() - i * interval '1 second' AS placed_at FROM generate_series(1, 100000) i;
CREATE TABLE marts.items AS SELECT i AS item_id, 1 + i % 100000 AS order_id, 'sku-' || i % 300 AS sku, i % 5 + 1 AS quantity
  FROM generate_series(1, 300000) i;
ALTER TABLE marts.customers ADD PRIMARY KEY (customer_id);
ALTER TABLE marts.orders ADD PRIMARY KEY (order_id);
ALTER TABLE marts.items ADD PRIMARY KEY (item_id);
CREATE INDEX ON marts.orders (customer_id);
CREATE INDEX ON marts.items (order_id);
CREATE INDEX ON marts.customers (plan, customer_id);
VACUUM ANALYZE marts.customers, marts.orders, marts.items;
`;
