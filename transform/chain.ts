import { closest, distance } from 'fastest-levenshtein';
import { MillraceError } from '../schema/errors.ts';
import type { OnFailure } from '../schema/step.ts';
import type { Engine } from './engine.ts';
import { identifier, literal } from './sql-text.ts';
import { typedValue, type Field } from './types.ts';

/** A way in which a row can fail. */
export interface Failure {
  /** Stands in the outcome of rows that failed so. */
  readonly code: number;
  readonly column: string;
  readonly rule: string;
  /** A sentence without the value. */
  readonly reason: string;
  readonly fails: boolean;
}

/** Outcomes of rows that didn't fail and don't go on; NULL is a row that does. */
export const outcomes = { filtered: -1, duplicate: -2 } as const;

/** Row's file (number of the input) and line (number of the row in it), as columns inside the statement. */
export const fileId = '"m~file"';
export const lineId = '"m~line"';
/** Gives a row its line; counting is done on one thread, so it is left out where nothing asks for lines. */
export const countLines = 'row_number() OVER ()';
/** Label of the row's input. */
export const labelId = '"m~label"';

export interface Where {
  readonly pipeline: string;
  readonly stream: string;
}

/** A SELECT that grows a layer with each step; every row stays in it and carries its outcome. */
export class Chain {
  sql: string;
  fields: readonly Field[];
  /** The columns as they were read, for rejections. */
  readonly raw: readonly Field[];
  outcome = 'CAST(NULL AS INTEGER)';
  readonly failures: Failure[] = [];
  /** Rows found to be duplicates. */
  duplicates = 0;
  filters = false;
  /** True when rows must leave in the order in which they came. */
  ordered = false;
  /** True once a step depends on the lines of rows. */
  needsLines = false;
  readonly where: Where;
  readonly onFailure: OnFailure;
  /** True while rows can be found again in their file by line. */
  located = true;
  /** For messages: `step 3 (cast)`. */
  step = '';
  readonly engine: Engine;
  /** Columns of what the layers stand on. */
  sourceColumns: readonly string[];
  #source: string;
  readonly #ids: { next: number };

  constructor(
    engine: Engine,
    where: Where,
    onFailure: OnFailure,
    source: { readonly sql: string; readonly fields: readonly Field[] },
    ids = { next: 1 },
  ) {
    this.engine = engine;
    this.where = where;
    this.onFailure = onFailure;
    this.sql = source.sql;
    this.fields = source.fields;
    this.raw = source.fields;
    this.sourceColumns = [fileId, lineId, labelId, ...source.fields.map(({ id }) => id)];
    this.#source = source.sql;
    this.#ids = ids;
  }

  /** A chain over what a query made of this one's rows. */
  follow(source: { readonly sql: string; readonly fields: readonly Field[] }): Chain {
    const chain = new Chain(this.engine, this.where, this.onFailure, source, this.#ids);
    chain.step = this.step;
    chain.located = false;
    chain.ordered = this.ordered;
    return chain;
  }

  newId(): string {
    return identifier(`m~${this.#ids.next++}`);
  }

  /** Adds computed columns to every row. */
  layer(columns: readonly { readonly id: string; readonly sql: string }[]): void {
    if (columns.length === 0) return;
    this.sql = `SELECT *, ${columns.map(({ id, sql }) => `${sql} AS ${id}`).join(', ')} FROM (${this.sql})`;
  }

  /** Decides the outcome of rows that still go on: the first condition that is true. */
  decide(conditions: readonly { readonly condition: string; readonly outcome: number }[]): void {
    if (conditions.length === 0) return;
    const id = this.newId();
    const cases = conditions.map(({ condition, outcome }) => `WHEN ${condition} THEN ${outcome}`).join(' ');
    this.layer([{ id, sql: `CASE WHEN ${this.outcome} IS NOT NULL THEN ${this.outcome} ${cases} END` }]);
    this.outcome = id;
  }

  /** Registers a way to fail and gives its code. */
  failure(column: string, rule: string, reason: string, onFailure: OnFailure = this.onFailure): number {
    const code = this.#ids.next++;
    this.failures.push({ code, column, rule, reason, fails: onFailure === 'fail' });
    return code;
  }

  /**
   * The rows with an outcome for which the condition holds. `random()` keeps DuckDB from pushing the condition below the layers, where
   * it would repeat all of their work.
   */
  those(condition: 'IS NULL' | '> 0', lines = this.needsLines, source?: string): string {
    const sql = this.rows(lines, source);
    return `SELECT * FROM (SELECT *, CASE WHEN random() < 2 THEN ${this.outcome} END AS "m~end" FROM (${sql})) WHERE "m~end" ${condition}`;
  }

  /** The rows, with their lines if asked for; or those of another source with the same columns. */
  rows(lines: boolean, source = this.#source): string {
    const sql = source === this.#source ? this.sql : this.sql.replace(this.#source, () => source);
    return lines ? sql : sql.replaceAll(countLines, 'CAST(0 AS BIGINT)');
  }

  /** Puts the layers on another source of the same rows, which has one column more. */
  rebase(source: string, column: string): void {
    this.sql = this.sql.replace(this.#source, () => source);
    this.#source = source;
    this.sourceColumns = [...this.sourceColumns, column];
  }

  /** All that rows are inside the statement, with their columns, `_file` and `_line` under their names as expressions see them. */
  named(): string {
    const own = [`${labelId} AS "_file"`, `${lineId} AS "_line"`].filter(
      (_, index) => !this.fields.some((field) => field.name.toLowerCase() === ['_file', '_line'][index]),
    );
    return `SELECT ${['*', ...this.#names(), ...own].join(', ')} FROM (${this.sql})`;
  }

  /** The columns of rows that still go on, under their names. */
  surviving(): string {
    return `SELECT ${this.#names().join(', ')} FROM (${this.those('IS NULL')})`;
  }

  #names(): readonly string[] {
    return this.fields.map((field) => `${typedValue(field)} AS ${identifier(field.name)}`);
  }

  field(name: string): Field {
    const found = this.fields.find((field) => field.name === name);
    if (found !== undefined) return found;
    throw this.error(`column ${name} doesn't exist here${this.#nearest(name)}`);
  }

  #nearest(name: string): string {
    const names = this.fields.map((field) => field.name);
    const near = names.length === 0 ? '' : closest(name, names);
    if (near !== '' && distance(near.toLowerCase(), name.toLowerCase()) <= Math.max(2, name.length / 3)) return `; did you mean ${near}?`;
    return `; the columns are ${names.join(', ')}`;
  }

  /** A mistake in a step, placed. */
  error(message: string, cause?: unknown): MillraceError {
    const place = this.step === '' ? '' : `, ${this.step}`;
    return new MillraceError('config', `pipeline ${this.where.pipeline}, stream ${this.where.stream}${place}: ${message}`, { cause });
  }

  /** What to throw for a failure inside a step: the step is named, unless it isn't to blame. */
  mistake(error: unknown, place = ''): unknown {
    const blameless = error instanceof MillraceError && error.code !== 'config' && error.code !== 'rejected';
    return this.engine.aborted || blameless ? error : this.error(`${place}${firstLine(error)}`, error);
  }

  /** Replaces fields of the same name, or adds them at the end. */
  set(fields: readonly Field[]): void {
    const changed = new Map(fields.map((field) => [field.name, field]));
    const kept = this.fields.map((field) => changed.get(field.name) ?? field);
    this.fields = [...kept, ...fields.filter((field) => !this.fields.some((other) => other.name === field.name))];
  }

  /** The type of an expression over the named columns, as DuckDB's binder finds it; its complaint is the step's. */
  async typeOf(sql: string, column: string | undefined): Promise<string> {
    const place = column === undefined ? '' : `column ${column}: `;
    try {
      await this.#checkExpression(sql);
      const [row] = await this.engine.rows(`DESCRIBE SELECT (${sql}\n) AS x FROM (${this.named()})`);
      return String(row?.['column_type']);
    } catch (error) {
      throw this.mistake(error, place);
    }
  }

  /** Whether an expression over the named columns can be bound. */
  async binds(sql: string): Promise<boolean> {
    try {
      await this.engine.rows(`DESCRIBE SELECT ${sql} FROM (${this.named()})`);
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  }

  /** Refuses what isn't one SELECT. */
  async checkQuery(sql: string): Promise<void> {
    const [row] = await this.engine.rows(`SELECT json_serialize_sql(${literal(sql)}) AS tree`);
    const tree: unknown = JSON.parse(String(row?.['tree']));
    if (!isTree(tree) || tree.error === true || tree.statements?.length !== 1) throw new Error(`one SELECT is expected: ${errorOf(tree)}`);
  }

  async #checkExpression(sql: string): Promise<void> {
    const [row] = await this.engine.rows(`SELECT json_serialize_sql(${literal(`SELECT ${sql}`)}) AS tree`);
    const tree: unknown = JSON.parse(String(row?.['tree']));
    const node = firstNode(tree);
    if (node === undefined) throw new Error(`not a SQL expression: ${errorOf(tree)}`);
    if (node.columns !== 1 || !node.plain) throw new Error('one SQL expression is expected, without FROM and without further columns');
  }
}

/** DuckDB's message without its prefix for kinds, its excerpt of the statement, and our own names. */
function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [first = ''] = message.split(/\n\n|\nLINE/);
  return first
    .replace(/^(Binder|Parser|Catalog|Conversion|Invalid Input|Permission|Not implemented) Error: /, '')
    .replaceAll(/,? ?"m~[^"]*",?/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

interface Tree {
  readonly error?: boolean;
  readonly error_message?: string;
  readonly statements?: readonly { readonly node: Readonly<Record<string, unknown>> }[];
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

function errorOf(tree: unknown): string {
  return isTree(tree) ? (tree.error_message ?? 'it is empty') : '';
}

function typeIn(value: unknown): string {
  return typeof value === 'object' && value !== null && 'type' in value ? String(value.type) : '';
}

/** The single SELECT of a parsed text, and whether it is only a list of expressions. */
function firstNode(tree: unknown): { readonly columns: number; readonly plain: boolean } | undefined {
  if (!isTree(tree) || tree.error === true || tree.statements?.length !== 1) return undefined;
  const node = tree.statements[0]?.node;
  if (node === undefined || node['type'] !== 'SELECT_NODE') return undefined;
  return { columns: lengthOf(node['select_list']), plain: isPlain(node) };
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : -1;
}

function isPlain(node: Readonly<Record<string, unknown>>): boolean {
  const bare = ['where_clause', 'having', 'qualify', 'sample'].every((part) => node[part] === null || node[part] === undefined);
  return bare && lengthOf(node['modifiers']) === 0 && typeIn(node['from_table']) === 'EMPTY';
}
