import { connectorOf } from '../../connectors/registry.ts';
import { openTestGateway, type TestGateway } from '../gateway-kit.ts';

/** A part of the project file, as much of it as decides on who sees what. */
export interface SampleApi {
  readonly dataset?: string;
  readonly model?: string;
  readonly key: string | readonly string[];
  readonly relations?: Readonly<Record<string, SampleRelation>>;
  readonly roles: Readonly<Record<string, SampleRole>>;
  readonly cache?: object;
}
export interface SampleRelation {
  readonly api?: string;
  readonly dataset?: string;
  readonly on: string | Readonly<Record<string, string>>;
  readonly fields?: readonly string[];
  readonly one?: boolean;
}
export interface SampleRole {
  readonly fields: 'all' | readonly string[];
  readonly rows?: string;
  readonly mask?: Readonly<Record<string, 'hash' | 'redact' | 'null'>>;
}

/** Datasets and the types of their columns; names that no other text of an answer has. */
export const datasets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'marts.people': {
    person_id: 'bigint',
    full_name: 'text',
    email_address: 'text',
    region_code: 'text',
    tenant_id: 'text',
    salary: 'numeric(12,2)',
    ssn: 'text',
    born_on: 'date',
    is_active: 'boolean',
    risk_score: 'double precision',
    desk_no: 'integer',
    labels: 'text[]',
    profile: 'jsonb',
    public_ref: 'uuid',
    seen_at: 'timestamptz',
    manager_id: 'bigint',
    portrait: 'bytea',
  },
  'marts.orders': { order_no: 'bigint', person_id: 'bigint', order_total: 'numeric(12,2)', placed_at: 'timestamptz', order_state: 'text' },
  'marts.order_lines': { order_no: 'bigint', line_no: 'integer', product_code: 'text', cost_price: 'numeric(12,2)' },
  'marts.vault': { vault_id: 'integer', person_id: 'bigint', vault_word: 'text' },
  'marts.payments': { payment_id: 'integer', person_id: 'bigint', iban_no: 'text', paid_sum: 'numeric(12,2)' },
  'marts.visits': { person_id: 'bigint', visited_at: 'timestamptz', visit_place: 'text', visit_note: 'text' },
};

const rowsOf: Readonly<Record<string, string>> = {
  'marts.people': `SELECT 9007199254740990 + n, 'Person ' || n, CASE WHEN n % 6 <> 0 THEN 'p' || n || '@example.org' END, (ARRAY['EU','US'])[1 + n % 2],
    (ARRAY['a','b','c'])[1 + n % 3], n * 1000.25, 'ssn-' || n, date '2000-02-28' + n, n % 4 <> 0, CASE WHEN n % 5 <> 0 THEN n / 8.0 END, n % 4,
    ARRAY['x', 'y' || n], jsonb_build_object('n', n), ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
    timestamptz '2024-03-01 10:00:00.000001Z' + n * interval '1 day', CASE WHEN n > 3 THEN 9007199254740990 + n / 3 END, decode(lpad(to_hex(n), 4, '0'), 'hex')
    FROM generate_series(1, 18) n`,
  'marts.orders': `SELECT n, 9007199254740990 + 1 + n % 18, n * 1.25, timestamptz '2024-05-01 00:00:00.000001Z' + n * interval '1 hour',
    (ARRAY['open','paid',NULL])[1 + n % 3] FROM generate_series(1, 30) n`,
  'marts.order_lines': `SELECT 1 + n % 12, n, 'product ' || n % 5, n * 0.75 FROM generate_series(1, 24) n`,
  'marts.vault': `SELECT n, 9007199254740990 + n, 'word ' || n FROM generate_series(1, 5) n`,
  'marts.payments': `SELECT n, 9007199254740990 + n % 6, 'DE' || n, n * 10.5 FROM generate_series(1, 8) n`,
  'marts.visits': `SELECT 9007199254740990 + n % 9, timestamptz '2024-06-01 00:00:00.000001Z' + n * interval '1 minute', 'place ' || n, 'note ' || n
    FROM generate_series(1, 12) n`,
};

/** A model that is not built: its query is read as it is. */
export const models: Readonly<Record<string, { readonly sql: string; readonly columns: Readonly<Record<string, string>> }>> = {
  wellbeing: {
    sql: 'SELECT person_id, tenant_id, salary / 12 AS monthly_pay, risk_score AS strain FROM marts.people WHERE is_active',
    columns: { person_id: 'bigint', tenant_id: 'text', monthly_pay: 'numeric', strain: 'double precision' },
  },
};

const cache = { ttl: '5m', until: 'load' };

export const apis: Readonly<Record<string, SampleApi>> = {
  people: {
    dataset: 'marts.people',
    key: 'person_id',
    relations: {
      purchases: { api: 'orders', on: 'person_id' },
      visits_made: { dataset: 'marts.visits', on: 'person_id', fields: ['person_id', 'visited_at', 'visit_place'] },
      led_by: { api: 'people', on: { manager_id: 'person_id' }, one: true },
      secret_words: { api: 'vault', on: 'person_id' },
      paid_out: { dataset: 'marts.payments', on: 'person_id' },
    },
    roles: {
      owner: { fields: 'all' },
      analyst: {
        fields: 'all',
        // Without led_by, which is on one of them.
        mask: { email_address: 'hash', ssn: 'redact', salary: 'null', risk_score: 'hash', seen_at: 'redact', manager_id: 'hash' },
      },
      support: {
        fields: ['full_name', 'region_code', 'email_address', 'desk_no', 'purchases', 'visits_made', 'paid_out'],
        rows: 'region_code = ${claim:region}',
        mask: { email_address: 'redact' },
      },
      tenant: {
        fields: ['person_id', 'full_name', 'born_on', 'risk_score', 'labels', 'led_by', 'purchases'],
        rows: 'tenant_id = ${claim:tenant} AND salary <= ${claim:ceiling}::numeric',
        mask: { risk_score: 'null' },
      },
      anonymous: { fields: ['region_code', 'is_active'], rows: 'is_active' },
    },
    cache,
  },
  orders: {
    dataset: 'marts.orders',
    key: 'order_no',
    relations: { buyer: { api: 'people', on: 'person_id', one: true }, order_parts: { api: 'order_lines', on: 'order_no' } },
    roles: {
      owner: { fields: 'all' },
      analyst: { fields: 'all', mask: { order_total: 'hash' } },
      support: { fields: ['person_id', 'order_state', 'buyer'] },
      tenant: { fields: 'all', rows: 'person_id IN (SELECT p.person_id FROM marts.people p WHERE p.tenant_id = ${claim:tenant})' },
    },
    cache,
  },
  order_lines: {
    dataset: 'marts.order_lines',
    key: ['order_no', 'line_no'],
    relations: { its_order: { api: 'orders', on: 'order_no', one: true } },
    roles: {
      owner: { fields: 'all' },
      analyst: { fields: 'all', mask: { cost_price: 'null' } },
      clerk: { fields: ['product_code'], rows: 'line_no % 2 = 0 -- even ones' },
      anonymous: { fields: ['product_code'], rows: 'cost_price < 5 OR cost_price > 15' },
    },
    cache,
  },
  wellbeing: {
    model: 'wellbeing',
    key: 'person_id',
    relations: { its_person: { api: 'people', on: 'person_id', one: true }, its_orders: { dataset: 'marts.orders', on: 'person_id' } },
    roles: {
      owner: { fields: 'all' },
      analyst: { fields: 'all', mask: { monthly_pay: 'redact' } },
      tenant: { fields: ['person_id', 'strain', 'its_person', 'its_orders'], rows: 'tenant_id = ${claim:tenant}' },
    },
    cache,
  },
  vault: { dataset: 'marts.vault', key: 'vault_id', roles: { owner: { fields: 'all' } } },
  payments: {
    dataset: 'marts.payments',
    key: 'payment_id',
    roles: { owner: { fields: 'all' }, support: { fields: ['payment_id', 'person_id', 'paid_sum'], rows: 'paid_sum < 60' } },
  },
};

export interface SampleCaller {
  readonly name: string;
  readonly role: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Undefined for who has none. */
  readonly token: string | undefined;
}

/** Two tenants or regions of a role, a role with one API alone, and one that the project doesn't have. */
const callers: readonly Omit<SampleCaller, 'token'>[] = [
  { name: 'owner', role: 'owner', claims: {} },
  { name: 'analyst', role: 'analyst', claims: { region: 'EU', tenant: 'a' } },
  { name: 'support of EU', role: 'support', claims: { region: 'EU' } },
  { name: 'support of US', role: 'support', claims: { region: 'US' } },
  { name: 'support of nowhere', role: 'support', claims: { region: "EU' OR 'a' = 'a" } },
  { name: 'tenant a', role: 'tenant', claims: { tenant: 'a', ceiling: '99999' } },
  { name: 'tenant a, up to 9000', role: 'tenant', claims: { tenant: 'a', ceiling: 9000 } },
  { name: 'tenant b', role: 'tenant', claims: { tenant: 'b', ceiling: '99999' } },
  { name: 'clerk', role: 'clerk', claims: { region: 'EU' } },
  { name: 'guest', role: 'guest', claims: { region: 'EU', tenant: 'a' } },
  { name: 'anonymous', role: 'anonymous', claims: {} },
];

export const maskKey = 'a key of the matrix, long enough to be one';

export interface Sample {
  readonly gateway: TestGateway;
  readonly callers: readonly SampleCaller[];
  /** Statements that the warehouse was asked until now. */
  readonly reads: () => number;
}

/** A gateway over the sample, with limits that nothing here meets. */
export async function openSample(): Promise<Sample> {
  let reads = 0;
  const tables = Object.entries(datasets).map(([table, columns]) => {
    const key = Object.values(apis).find(({ dataset }) => dataset === table)?.key;
    const primary = key === undefined ? '' : `, PRIMARY KEY (${[key].flat().join()})`;
    const list = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
    return `CREATE TABLE ${table} (${list.join()}${primary}); INSERT INTO ${table} ${rowsOf[table]};`;
  });
  const generous = '1000000/s';
  const gateway = await openTestGateway({
    tables: `${tables.join('\n')} ANALYZE;`,
    apis: Object.fromEntries(
      Object.entries(apis).map(([name, api]) => [name, { ...api, rate: generous, limit: { default: 100, max: 100 } }]),
    ),
    project: {
      models: Object.fromEntries(
        Object.entries(models).map(([name, { sql }]) => [name, { warehouse: 'warehouse', sql, key: 'person_id', build: 'none' }]),
      ),
    },
    gateway: { rate: { role: generous, all: generous }, mask_key: '${env:MASK_KEY}', concurrency: 200, connections: 6 },
    environment: { MASK_KEY: maskKey },
    options: {
      async openDatasets({ type, name, settings }, options) {
        const opened = await connectorOf(type, name).openDatasets(settings, name, options);
        const read = opened.read.bind(opened);
        const counted: typeof read = async (...given) => {
          reads += 1;
          return await read(...given);
        };
        return Object.assign(opened, { read: counted });
      },
    },
  });
  const withTokens = callers.map(async (caller) => ({
    ...caller,
    token: caller.role === 'anonymous' ? undefined : await gateway.token({ role: caller.role, claims: caller.claims }),
  }));
  return { gateway, callers: await Promise.all(withTokens), reads: () => reads };
}
