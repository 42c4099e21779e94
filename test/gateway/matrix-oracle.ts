import { createHmac } from 'node:crypto';
import type { TestGateway } from '../gateway-kit.ts';
import { apis, datasets, maskKey, models, type SampleCaller, type SampleRelation, type SampleRole } from './matrix-sample.ts';

/** What a caller must get, from the project file and plain SQL alone: nothing of the gateway's own is used. */

const order = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'not_in', 'null'];
export const operators = [...order, 'contains', 'starts'];
const equality = ['eq', 'ne', 'in', 'not_in', 'null'];

interface TypeFacts {
  readonly json: (column: string) => string;
  readonly operators: readonly string[];
  readonly isOrdered: boolean;
  readonly measures: readonly string[];
  /** An exact number, or one that JavaScript has, is written bare in GraphQL. */
  readonly isBare: boolean;
}

const text: TypeFacts = { json: (c) => c, operators, isOrdered: true, measures: ['count', 'min', 'max'], isBare: false };
const number = ['count', 'sum', 'avg', 'min', 'max'];
const exact: TypeFacts = { ...text, json: (c) => `${c}::text`, operators: order, measures: number };
const bare: TypeFacts = { ...text, operators: order, measures: number, isBare: true };
const onlyNull: TypeFacts = { ...text, operators: ['null'], isOrdered: false, measures: ['count'] };
const types: Readonly<Record<string, TypeFacts>> = {
  text,
  bigint: exact,
  numeric: exact,
  'numeric(12,2)': exact,
  integer: bare,
  'double precision': bare,
  boolean: { ...bare, operators: equality, measures: ['count'] },
  date: { ...text, operators: order },
  timestamptz: { ...text, operators: order, json: (c) => `to_json(${c} AT TIME ZONE 'UTC') #>> '{}' || '+00:00'` },
  uuid: { ...text, operators: equality, measures: ['count'] },
  'text[]': onlyNull,
  jsonb: onlyNull,
  bytea: { ...onlyNull, isOrdered: true, json: (c) => `encode(${c}, 'base64')` },
};

export const factsOf = (type: string): TypeFacts => types[type]!;

const literal = (value: unknown): string => `'${String(value).replaceAll("'", "''")}'`;

/** How a column may be used by a role. */
type Use = 'usable' | 'masked' | 'unknown';

export interface Seen {
  /** Names of all columns that the dataset has, to their types. */
  readonly types: Readonly<Record<string, string>>;
  readonly key: readonly string[];
  readonly use: (column: string) => Use;
  readonly relations: readonly string[];
}

const hasRole = (api: string, role: string): boolean => Object.hasOwn(apis[api]!.roles, role);

/** The API whose roles hold for a relation; undefined for a dataset that none publishes. */
export function targetOf({ api, dataset }: SampleRelation): string | undefined {
  return api ?? Object.entries(apis).find(([, other]) => other.dataset === dataset)?.[0];
}

const pairsOf = ({ on }: SampleRelation): readonly (readonly [string, string])[] =>
  typeof on === 'string' ? [[on, on]] : Object.entries(on);

const typesOf = (name: string): Readonly<Record<string, string>> => {
  const { dataset, model } = apis[name]!;
  return dataset === undefined ? models[model!]!.columns : datasets[dataset]!;
};

/** What a role sees of an API; undefined when it has no part in it. */
export function seenOf(name: string, role: string): Seen | undefined {
  if (!hasRole(name, role)) return undefined;
  const { key, relations = {}, roles } = apis[name]!;
  const { fields, mask = {} }: SampleRole = roles[role]!;
  const columns = typesOf(name);
  const keys = [key].flat();
  const sees = (one: string): boolean => fields === 'all' || fields.includes(one) || keys.includes(one);
  return {
    types: columns,
    key: keys,
    use: (column) => (!Object.hasOwn(columns, column) || !sees(column) ? 'unknown' : Object.hasOwn(mask, column) ? 'masked' : 'usable'),
    relations: Object.keys(relations).filter((one) => {
      const target = targetOf(relations[one]!);
      const theirs = target === undefined || !hasRole(target, role) ? {} : (apis[target]!.roles[role]!.mask ?? {});
      const ties = pairsOf(relations[one]!);
      const isMasked = ties.some(([own, its]) => Object.hasOwn(mask, own) || Object.hasOwn(theirs, its));
      return sees(one) && !isMasked && (target === undefined || hasRole(target, role));
    }),
  };
}

/** What a role sees of where a relation leads. */
export function seenThrough(relation: SampleRelation, role: string): Seen | undefined {
  const target = targetOf(relation);
  if (target !== undefined) return seenOf(target, role);
  const { dataset, fields } = relation;
  const columns = datasets[dataset!]!;
  return {
    types: columns,
    key: [],
    use: (column) => (Object.hasOwn(columns, column) && (fields === undefined || fields.includes(column)) ? 'usable' : 'unknown'),
    relations: [],
  };
}

export const columnsSeen = ({ types: all, use }: Seen): readonly string[] => Object.keys(all).filter((one) => use(one) !== 'unknown');

type Row = Readonly<Record<string, unknown>>;

export interface Expected {
  readonly key: readonly string[];
  /** As the caller is shown it. */
  readonly row: Row;
  /** `column operator` that are true for the row, with the values of `values`. */
  readonly matches: readonly string[];
  /** Columns as text, unmasked. */
  readonly plain: Readonly<Record<string, string | null>>;
}

export interface Oracle {
  /** Rows that the caller must get, in the order of their key. */
  rows(api: string, caller: SampleCaller): Promise<readonly Expected[]>;
  /** Rows of a relation of a row. */
  related(relation: SampleRelation, plain: Expected['plain'], caller: SampleCaller): Promise<readonly Row[]>;
  /** Every row of an API, whoever asks. */
  allKeys(api: string): Promise<readonly (readonly string[])[]>;
  /** The value that filters of a column are tried with. */
  value(types: Seen['types'], column: string): string;
}

const sourceOf = (name: string): string => apis[name]!.dataset ?? `(${models[apis[name]!.model!]!.sql})`;

const ruleOf = (name: string, { role, claims }: SampleCaller): string =>
  (apis[name]!.roles[role]!.rows ?? 'true').replaceAll(/\$\{claim:(\w+)\}/g, (_, claim: string) => literal(claims[claim]));

function condition(column: string, operator: string, value: string): string {
  const v = literal(value);
  switch (operator) {
    case 'ne':
      return `${column} IS DISTINCT FROM ${v}`;
    case 'not_in':
      return `coalesce(${column} NOT IN (${v}), true)`;
    case 'null':
      return `${column} IS NULL`;
    case 'contains':
      return `coalesce(position(lower(${v}) IN lower(${column})) > 0, false)`;
    case 'starts':
      return `coalesce(starts_with(${column}, ${v}), false)`;
    default: {
      const written = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=', in: '=' }[operator]!;
      return `coalesce(${column} ${written} ${v}, false)`;
    }
  }
}

/** A value as a mask must show it. */
function shown(mask: string | undefined, value: unknown, plain: string | null): unknown {
  if (mask === undefined) return value;
  if (mask === 'null' || plain === null) return null;
  return mask === 'redact' ? '***' : createHmac('sha256', maskKey).update(plain).digest('hex');
}

/** Values that rows of the sample have, by type: each is that of a row in the middle. */
const tried: Readonly<Record<string, string>> = {
  full_name: 'Person 1',
  email_address: 'p7@example.org',
  region_code: 'EU',
  tenant_id: 'a',
  ssn: 'ssn-7',
  order_state: 'paid',
  product_code: 'product 3',
  vault_word: 'word 2',
  iban_no: 'DE3',
  visit_place: 'place 3',
  visit_note: 'note 3',
  bigint: '9007199254740997',
  order_no: '7',
  'numeric(12,2)': '15.75',
  salary: '7001.75',
  numeric: '500',
  integer: '2',
  'double precision': '0.875',
  boolean: 'true',
  date: '2000-03-06',
  uuid: '00000000-0000-4000-8000-000000000007',
  timestamptz: '2024-05-01T07:00:00.000001Z',
};

export function createOracle(gateway: Pick<TestGateway, 'sql'>): Oracle {
  const known = new Map<string, Promise<readonly Expected[]>>();
  const value: Oracle['value'] = (all, column) => tried[column] ?? tried[all[column]!] ?? 'x';

  async function read(
    api: string | undefined,
    relation: SampleRelation | undefined,
    caller: SampleCaller,
    where: string,
  ): Promise<Expected[]> {
    const seen = api === undefined ? seenThrough(relation!, caller.role)! : seenOf(api, caller.role)!;
    const mask = api === undefined ? {} : (apis[api]!.roles[caller.role]!.mask ?? {});
    const columns = Object.entries(seen.types);
    const source = api === undefined ? relation!.dataset! : sourceOf(api);
    const tests = columns.flatMap(([name, type]) =>
      factsOf(type).operators.map(
        (operator) => `CASE WHEN ${condition(name, operator, value(seen.types, name))} THEN '${name} ${operator}' END`,
      ),
    );
    const rows = await gateway.sql(
      `SELECT json_build_array(${columns.map(([name, type]) => factsOf(type).json(name)).join()}) AS row,
        ARRAY[${columns.map(([name]) => `${name}::text`).join()}] AS plain, array_remove(ARRAY[${tests.join()}], NULL) AS matches
       FROM ${source} t WHERE (${api === undefined ? 'true' : ruleOf(api, caller)}\n) AND ${where} ORDER BY ${seen.key.join() || '1::text'}`,
    );
    const parse = (row: unknown, plain: readonly (string | null)[], matches: unknown): Expected => {
      const values = row as readonly unknown[];
      const texts = Object.fromEntries(columns.map(([name], at) => [name, plain[at] ?? null]));
      const visible = columns.flatMap(([name], at) =>
        seen.use(name) === 'unknown' ? [] : [[name, shown(mask[name], values[at], texts[name]!)]],
      );
      return {
        key: seen.key.map((name) => texts[name]!),
        row: Object.fromEntries(visible),
        matches: matches as readonly string[],
        plain: texts,
      };
    };
    return rows.map(({ row, plain, matches }) => parse(row, plain as readonly (string | null)[], matches));
  }

  return {
    value,
    rows(api, caller) {
      const name = `${api} ${caller.name}`;
      const found = known.get(name) ?? read(api, undefined, caller, 'true');
      known.set(name, found);
      return found;
    },
    async related(relation, plain, caller) {
      const target = targetOf(relation);
      const pairs = pairsOf(relation);
      if (target !== undefined) {
        const rows = await this.rows(target, caller);
        return rows
          .filter((one) => pairs.every(([own, its]) => plain[own] !== null && one.plain[its] === plain[own]))
          .map(({ row }) => row);
      }
      const where = pairs.map(([own, its]) => `${its}::text = ${literal(plain[own])}`).join(' AND ');
      return (await read(undefined, relation, caller, where)).map(({ row }) => row);
    },
    async allKeys(api) {
      const keys = [apis[api]!.key].flat();
      const rows = await gateway.sql(
        `SELECT ARRAY[${keys.map((name) => `${name}::text`).join()}] AS key FROM ${sourceOf(api)} t ORDER BY ${keys.join()}`,
      );
      return rows.map(({ key }) => key as readonly string[]);
    },
  };
}
