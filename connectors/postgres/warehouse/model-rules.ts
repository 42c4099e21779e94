import type pg from 'pg';
import type { ModelDefinition } from '../../../schema/definition.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Rule } from '../../../schema/step.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';

/** Checks a model's key and rules over what was built. Throws `rejected` naming the column, the rule and how many rows break it. */
export async function checkRules(client: pg.Client, model: ModelDefinition, table: string): Promise<void> {
  await checkKey(client, model, table);
  if (model.expect === undefined || !('expect' in model.expect)) return;
  for (const [column, rule] of Object.entries(model.expect.expect)) {
    for (const [name, broken] of Object.entries(conditions(column, rule))) await check(client, model, table, column, name, broken);
    if (rule.unique === true)
      await check(
        client,
        model,
        `(SELECT count(*) OVER (PARTITION BY ${quoteIdentifier(column)}) AS "_millrace_same", * FROM ${table}) t`,
        column,
        'unique',
        `"_millrace_same" > 1 AND ${quoteIdentifier(column)} IS NOT NULL`,
      );
  }
}

/** The key's columns have values, and no two rows have the same. */
async function checkKey(client: pg.Client, model: ModelDefinition, table: string): Promise<void> {
  if (model.key === undefined || model.key.length === 0) return;
  const columns = model.key.map(quoteIdentifier);
  const counted = `(SELECT count(*) OVER (PARTITION BY ${columns.join(', ')}) AS "_millrace_same", * FROM ${table}) t`;
  const broken = ['"_millrace_same" > 1', ...columns.map((column) => `${column} IS NULL`)].join(' OR ');
  await check(client, model, counted, model.key.join(', '), 'key', broken);
}

async function check(
  client: pg.Client,
  model: ModelDefinition,
  table: string,
  column: string,
  rule: string,
  broken: string,
): Promise<void> {
  const { rows } = await client.query<{ broken: string }>(`SELECT count(*) AS broken FROM ${table} WHERE ${broken}`);
  const count = rows[0]?.broken ?? '0';
  if (count === '0') return;
  throw new MillraceError(
    'rejected',
    `model ${model.name}: ${count} rows break the rule ${rule} of ${column}; what was built before stays as it is`,
  );
}

/** SQL that is true for rows which break a rule; NULL breaks none but `not_null`. */
function conditions(column: string, rule: Rule): Readonly<Record<string, string>> {
  const name = quoteIdentifier(column);
  const value = (given: string | number | boolean): string => quoteLiteral(String(given));
  return {
    ...(rule.not_null === true ? { not_null: `${name} IS NULL` } : {}),
    ...(rule.min === undefined ? {} : { min: `${name} < ${value(rule.min)}` }),
    ...(rule.max === undefined ? {} : { max: `${name} > ${value(rule.max)}` }),
    ...(rule.pattern === undefined ? {} : { pattern: `${name}::text !~ ${quoteLiteral(`^(?:${rule.pattern})$`)}` }),
    ...(rule.in === undefined ? {} : { in: `${name} NOT IN (${rule.in.map(value).join(', ')})` }),
    ...(rule.sql === undefined ? {} : { sql: `NOT (${rule.sql})` }),
  };
}
