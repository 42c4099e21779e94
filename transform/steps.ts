import type { Column } from '../schema/column.ts';
import type { CastTarget, Step } from '../schema/step.ts';
import { castableTypes, compileCast } from './casts.ts';
import { outcomes, type Chain } from './chain.ts';
import { dedupe, expectUnique } from './duplicates.ts';
import { compileComparison, compileRules } from './rules.ts';
import { identifier, literal } from './sql-text.ts';
import { canonicalType, columnType, isText, settle, textValue, type Field } from './types.ts';

type StepOf<Name extends string> = Extract<Step, Readonly<Record<Name, unknown>>>;

/** Removed by `trim`; the PostgreSQL source removes the same. */
const whiteSpace = [' ', '\t', '\n', '\r', '\f', '\v', '\u00a0'] as const;

/** Trimming by a set is slow in DuckDB, so only texts that need it are trimmed; `!` follows the space. */
function trimmed(text: string): string {
  const ends = whiteSpace.map((character) => `ends_with(${text}, ${literal(character)})`).join(' OR ');
  return `CASE WHEN ${text} < '!' OR starts_with(${text}, '\u00a0') OR ${ends} THEN trim(${text}, ${literal(whiteSpace.join(''))}) ELSE ${text} END`;
}

function uniqueNames(chain: Chain, fields: readonly Field[]): readonly Field[] {
  const twice = fields.find((field, index) => fields.findIndex((other) => other.name === field.name) < index);
  if (twice !== undefined) throw chain.error(`column ${twice.name} would be there twice`);
  return fields;
}

function rename(chain: Chain, names: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(names)) chain.field(name);
  chain.fields = uniqueNames(
    chain,
    chain.fields.map((field) => ({ ...field, name: names[field.name] ?? field.name })),
  );
}

/** Replaces the text of fields; a value that was computed is left alone. */
function mapText(chain: Chain, fields: readonly Field[], sql: (text: string) => string): void {
  const changed = fields.filter((field) => isText(field.type)).map((field) => ({ from: field, to: { ...field, id: chain.newId() } }));
  chain.layer(changed.map(({ from, to }) => ({ id: to.id, sql: sql(from.id) })));
  chain.set(changed.map(({ to }) => to));
}

function nullif(chain: Chain, { nullif: written }: StepOf<'nullif'>): void {
  const values = Array.isArray(written) ? written : written.values;
  const fields = Array.isArray(written) ? chain.fields : written.columns.map((name) => chain.field(name));
  mapText(chain, fields, (text) => `CASE WHEN ${text} IN (${values.map(literal).join(', ')}) THEN NULL ELSE ${text} END`);
}

function castFields(chain: Chain, targets: Readonly<Record<string, CastTarget>>): void {
  const columns: { readonly id: string; readonly sql: string }[] = [];
  const decisions: { readonly condition: string; readonly outcome: number }[] = [];
  const fields: Field[] = [];
  for (const [name, target] of Object.entries(targets)) {
    const field = chain.field(name);
    const cast = compileCast(textValue(field), target);
    const written = typeof target === 'string' ? target : target.to;
    if (cast === undefined) throw chain.error(`column ${name}: can't cast to ${written}; types are ${castableTypes.join(', ')}`);
    const id = chain.newId();
    columns.push({ id, sql: cast.value });
    fields.push({ name, type: cast.type, id, typed: cast.typed, origin: field.origin });
    const onFailure = (typeof target === 'string' || !('on_failure' in target) ? undefined : target.on_failure) ?? chain.onFailure;
    if (onFailure === 'null') continue;
    const code = chain.failure(name, `cast ${cast.type}`, `the value can't be converted to ${cast.type} exactly`, onFailure);
    decisions.push({ condition: `${field.id} IS NOT NULL AND ${id} IS NULL`, outcome: code });
  }
  chain.layer(columns);
  chain.decide(decisions);
  chain.set(fields);
}

/**
 * Adds the value of an expression over the named columns, then forgets the names. A row for which it can't be computed fails; where
 * DuckDB can't try it row by row (subqueries, `random()`), the whole step does.
 */
async function addExpression(chain: Chain, sql: string, rule: string, column: string): Promise<string> {
  const names = chain.fields.map((field) => field.name.toLowerCase());
  if (new Set(names).size < names.length) {
    throw chain.error('columns differ only in case, which SQL expressions can not tell apart: rename one first');
  }
  const own = ['_file', '_line'].filter((name) => !names.includes(name));
  if (/_line/i.test(sql)) chain.needsLines = true;
  const packed = `struct_pack(v := ${sql})`;
  const tried = await chain.binds(`TRY(${packed})`);
  const id = chain.newId();
  const forgotten = [...chain.fields.map((field) => field.name), ...own].map(identifier).join(', ');
  chain.sql = `SELECT * EXCLUDE (${forgotten}), ${tried ? `TRY(${packed})` : packed} AS ${id} FROM (${chain.named()})`;
  const value = chain.newId();
  chain.layer([{ id: value, sql: `${id}.v` }]);
  const onFailure = chain.onFailure === 'fail' ? 'fail' : 'reject';
  if (tried)
    chain.decide([{ condition: `${id} IS NULL`, outcome: chain.failure(column, rule, 'the expression fails for the row', onFailure) }]);
  return value;
}

async function filter(chain: Chain, { filter: written }: StepOf<'filter'>): Promise<void> {
  chain.filters = true;
  if (typeof written === 'string') {
    await chain.typeOf(`(${written}\n)::BOOLEAN`, undefined);
    const id = await addExpression(chain, `((${written}\n)::BOOLEAN IS TRUE)`, 'filter', '');
    chain.decide([{ condition: `NOT ${id}`, outcome: outcomes.filtered }]);
    return;
  }
  const conditions: string[] = [];
  for (const [name, comparison] of Object.entries(written)) conditions.push(await compileComparison(chain, chain.field(name), comparison));
  chain.decide(conditions.map((condition) => ({ condition: `(${condition}) IS NOT TRUE`, outcome: outcomes.filtered })));
}

async function derive(chain: Chain, { derive: written }: StepOf<'derive'>): Promise<void> {
  const fields: Field[] = [];
  const casts: Record<string, CastTarget> = {};
  for (const [name, target] of Object.entries(written)) {
    const { sql, type } = typeof target === 'string' ? { sql: target, type: undefined } : target;
    const duck = await chain.typeOf(sql, name);
    const id = await addExpression(chain, settle(`(${sql}\n)`, duck), 'derive', name);
    fields.push({ name, type: columnType(duck), id, typed: columnType(duck) !== 'text' && columnType(duck) !== 'bytea' });
    if (type !== undefined && canonicalType(type) !== columnType(duck)) casts[name] = type;
  }
  chain.set(fields);
  castFields(chain, casts);
}

async function expectSql(chain: Chain, name: string, sql: string): Promise<string> {
  await chain.typeOf(`(${sql}\n)::BOOLEAN`, name);
  return await addExpression(chain, `((${sql}\n)::BOOLEAN IS FALSE)`, 'sql', name);
}

function blank(chain: Chain, field: Field, broken: readonly string[]): void {
  const to = { ...field, id: chain.newId() };
  chain.layer([{ id: to.id, sql: `CASE WHEN ${broken.map((part) => `(${part})`).join(' OR ')} THEN NULL ELSE ${field.id} END` }]);
  chain.set([to]);
}

async function expectRules(chain: Chain, { expect: written }: StepOf<'expect'>): Promise<void> {
  for (const [name, rule] of Object.entries(written)) {
    const field = chain.field(name);
    const onFailure = rule.on_failure ?? chain.onFailure;
    const checks = [...(await compileRules(chain, field, rule))];
    if (rule.sql !== undefined) {
      checks.push({ rule: 'sql', reason: 'the condition is false for the row', broken: await expectSql(chain, name, rule.sql) });
    }
    const nullable = onFailure === 'null' ? checks.filter((check) => check.rule !== 'not_null') : [];
    const failing = checks.filter((check) => !nullable.includes(check));
    chain.decide(
      failing.map((check) => ({
        condition: `(${check.broken}) IS TRUE`,
        outcome: chain.failure(name, check.rule, check.reason, onFailure),
      })),
    );
    if (rule.unique === true) {
      await expectUnique(chain, field, chain.failure(name, 'unique', 'another row of the load has the same value', onFailure));
    }
    if (nullable.length > 0)
      blank(
        chain,
        field,
        nullable.map((check) => check.broken),
      );
  }
}

/** Values that a file from outside says are of a type are proved to be; they stay as they were written where that is exact. */
export function castForeign(chain: Chain, columns: readonly Column[], parquet: boolean): void {
  if (parquet) refuseNul(chain);
  const targets = columns.filter((column) => !isText(column.type) && compileCast('x', column.type) !== undefined);
  castFields(chain, Object.fromEntries(targets.map((column) => [column.name, column.type])));
}

/** PostgreSQL's text can't hold NUL; in CSV and JSON it was found before. */
function refuseNul(chain: Chain): void {
  const fields = chain.fields.filter((field) => isText(field.type));
  chain.decide(
    fields.map(({ id, name }) => ({
      condition: `contains(${id}, chr(0))`,
      outcome: chain.failure(name, 'text', 'the text holds a NUL character', chain.onFailure === 'fail' ? 'fail' : 'reject'),
    })),
  );
}

/** Compiles one step, other than `sql`, on to the chain. */
export async function applyStep(chain: Chain, step: Exclude<Step, StepOf<'sql'>>): Promise<void> {
  if ('select' in step)
    chain.fields = uniqueNames(
      chain,
      step.select.map((name) => chain.field(name)),
    );
  else if ('rename' in step) rename(chain, step.rename);
  else if ('drop' in step) {
    for (const name of step.drop) chain.field(name);
    chain.fields = chain.fields.filter((field) => !step.drop.includes(field.name));
  } else if ('trim' in step) {
    const fields = step.trim === 'all' ? chain.fields : step.trim.map((name) => chain.field(name));
    mapText(chain, fields, trimmed);
  } else if ('nullif' in step) nullif(chain, step);
  else if ('cast' in step) castFields(chain, step.cast);
  else await applyChecking(chain, step);
}

async function applyChecking(chain: Chain, step: StepOf<'filter'> | StepOf<'derive'> | StepOf<'dedupe'> | StepOf<'expect'>): Promise<void> {
  if ('filter' in step) await filter(chain, step);
  else if ('derive' in step) await derive(chain, step);
  else if ('dedupe' in step) await dedupe(chain, step);
  else await expectRules(chain, step);
}
