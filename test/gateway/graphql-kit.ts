import { openTestGateway, type Asked, type TestGateway, type TestGatewaySettings } from '../gateway-kit.ts';

/** A shop: customers, their orders, the items of these, and notes that no API publishes. */
const shopTables = `
  CREATE TABLE marts.customers (
    customer_id bigint PRIMARY KEY, name text NOT NULL, email text, region text NOT NULL, plan text, score numeric(20,10),
    joined date, seen timestamptz, tags text[], profile jsonb, active boolean, referred_by bigint, avatar bytea, ratio double precision,
    visits integer, "größe" text
  );
  COMMENT ON COLUMN marts.customers.plan IS 'What they pay for.';
  CREATE TABLE marts.orders (
    order_id bigint PRIMARY KEY, customer_id bigint NOT NULL, placed timestamptz NOT NULL, total numeric(12,2), status text
  );
  CREATE TABLE marts.items (order_id bigint NOT NULL, line integer NOT NULL, product text NOT NULL, amount integer, PRIMARY KEY (order_id, line));
  CREATE TABLE marts.notes (customer_id bigint NOT NULL, text text NOT NULL, written date);
  CREATE TABLE marts.secrets (id integer PRIMARY KEY, customer_id bigint, word text);
  CREATE INDEX ON marts.orders (customer_id);
  INSERT INTO marts.customers
    SELECT i, 'Name ' || i, 'c' || i || '@example.org', CASE i % 2 WHEN 0 THEN 'EU' ELSE 'US' END, (ARRAY['free','pro',NULL])[i % 3 + 1],
      i * 1.0000000001, date '2026-01-01' + i, timestamptz '2026-01-01 00:00:00.123456Z' + i * interval '1 hour', ARRAY['t' || i],
      jsonb_build_object('n', i), i % 4 = 0, nullif(i / 2, 0), decode('00ff', 'hex'), i / 3.0, i % 5, 'g' || i
    FROM generate_series(1, 40) i;
  INSERT INTO marts.customers (customer_id, name, region) VALUES (9007199254740993, 'Big', 'EU');
  INSERT INTO marts.orders
    SELECT i, i % 40 + 1, timestamptz '2026-02-01Z' + i * interval '1 minute', i * 1.25, CASE WHEN i % 3 = 0 THEN 'open' ELSE 'paid' END
    FROM generate_series(1, 200) i;
  INSERT INTO marts.items SELECT i % 200 + 1, i / 200, 'p' || i % 7, i % 9 FROM generate_series(0, 599) i;
  INSERT INTO marts.notes SELECT i % 40 + 1, 'note ' || i, date '2026-03-01' + i FROM generate_series(1, 80) i;
  INSERT INTO marts.secrets SELECT i, i, 'hush ' || i FROM generate_series(1, 5) i;`;

/** APIs of the shop. */
export const shopApis = {
  customers: {
    dataset: 'marts.customers',
    key: 'customer_id',
    description: 'People who buy.',
    relations: {
      orders: { api: 'orders', on: 'customer_id' },
      notes: { dataset: 'marts.notes', on: 'customer_id' },
      referrer: { api: 'customers', on: { referred_by: 'customer_id' }, one: true },
      secrets: { api: 'secrets', on: 'customer_id' },
    },
    roles: {
      analyst: { fields: 'all', mask: { email: 'hash' } },
      support: { fields: ['name', 'region', 'email', 'orders'], rows: 'region = ${claim:region}', mask: { email: 'redact' } },
    },
  },
  orders: {
    dataset: 'marts.orders',
    key: 'order_id',
    relations: { items: { api: 'items', on: 'order_id' }, customer: { api: 'customers', on: 'customer_id', one: true } },
    roles: { analyst: { fields: 'all' }, support: { fields: ['order_id', 'customer_id', 'status', 'customer'] } },
  },
  items: { dataset: 'marts.items', key: ['order_id', 'line'], roles: { analyst: { fields: 'all' } } },
  secrets: { dataset: 'marts.secrets', key: 'id', roles: { owner: { fields: 'all' } } },
};

interface GraphqlAnswer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any form
  readonly data: any;
  readonly errors: readonly { readonly message: string; readonly extensions: { readonly code: string } }[] | undefined;
}

export interface Shop extends TestGateway {
  /** Asks in GraphQL; as an analyst where no token is given. */
  graphql(query: string, variables?: object, asked?: Asked): Promise<GraphqlAnswer>;
  /** Code of the only error, which comes without data. */
  refused(query: string, variables?: object, asked?: Asked): Promise<string>;
}

/** A gateway over the shop. */
export async function openShop(settings: Partial<TestGatewaySettings> = {}): Promise<Shop> {
  const gateway = await openTestGateway({
    tables: shopTables,
    apis: shopApis,
    ...settings,
    gateway: { mask_key: '${env:MASK_KEY}', ...settings.gateway },
    environment: { MASK_KEY: 'a-key-of-the-tests-only-0123456789', ...settings.environment },
  });
  const analyst = await gateway.token({ role: 'analyst' });
  const graphql: Shop['graphql'] = async (query, variables, asked) => {
    const { status, headers, json } = await gateway.post('/graphql', { query, variables }, { token: analyst, ...asked });
    return { status, headers, data: json.data, errors: json.errors };
  };
  return {
    ...gateway,
    graphql,
    async refused(query, variables, asked) {
      const { data, errors } = await graphql(query, variables, asked);
      if (data !== undefined || errors === undefined) throw new Error(`answered: ${JSON.stringify(data)}`);
      return errors.map(({ extensions }) => extensions.code).join();
    },
  };
}
