import type pg from 'pg';
import type { ModelDefinition } from '../../../schema/definition.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Rule } from '../../../schema/step.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';

/** Checks a model's rules over what was built. Throws `rejected` naming the column, the rule and how many rows break it. */
export async function checkRules(client: pg.Client, model: ModelDefinition, table: string): Promise<void> {
  if (model.expect === undefined || !('expect' in model.expect)) return;
  for (const [column, rule] of Object.entries(model.expect.expect)) {
    for (const [name, broken] of Object.entries(conditions(column, rule))) await check(client, model, table, column, name, broken);
    if (rule.unique === true)
      await check(
        client,
        model,
        `(SELECT count(*) OVER (PARTITION BY ${quoteIdentifier(column)}) AS n, * FROM ${table}) t`,
        column,
        'unique',
        `n > 1 AND ${quoteIdentifier(column)} IS NOT NULL`,
      );
  }
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
    `model ${model.name}: ${count} rows break the rule ${rule} of column ${column}; what was built before stays as it is`,
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
