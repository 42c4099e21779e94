import type { Comparison, Rule } from '../schema/step.ts';
import type { Chain } from './chain.ts';
import { literal, scalarLiteral } from './sql-text.ts';
import { duckType, isNumber, isText, textValue, typedValue, type Field } from './types.ts';

type Scalar = string | number | boolean;

const operators = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** A scalar of the project file in the column's type; a scalar that isn't of the type is the step's error. */
async function operand(chain: Chain, field: Field, value: Scalar): Promise<string> {
  const type = duckType(field.type);
  if (isNumber(field.type)) {
    if (typeof value === 'number') return scalarLiteral(value);
    if (typeof value === 'string' && /^[+-]?\d+(\.\d+)?$/.test(value)) return value;
    throw chain.error(`column ${field.name} is ${field.type}: ${JSON.stringify(value)} is not a number`);
  }
  if (type === 'VARCHAR') return literal(String(value));
  const sql = `CAST(${literal(String(value))} AS ${type})`;
  const [row] = await chain.engine.rows(`SELECT TRY_CAST(${literal(String(value))} AS ${type}) IS NOT NULL AS valid`);
  if (row?.['valid'] !== true) throw chain.error(`column ${field.name} is ${field.type}: ${JSON.stringify(value)} is not of that type`);
  return sql;
}

function bounded(chain: Chain, field: Field, value: Scalar): void {
  if (typeof value === 'number' && isText(field.type)) {
    throw chain.error(`column ${field.name} is ${field.type}, and ${value} is a number: cast the column first`);
  }
}

/** A comparison; numerics that no DuckDB type holds are compared as doubles, and exactly where those are equal. */
function compared(field: Field, sign: string, value: string): string {
  const left = typedValue(field);
  if (!field.type.startsWith('numeric') || duckType(field.type) !== 'DOUBLE') return `${left} ${sign} ${value}`;
  const rough = `${left} ${sign} CAST(${value} AS DOUBLE)`;
  const exact = `TRY_CAST(${field.id} AS DECIMAL(38,18)) ${sign} TRY_CAST(${value} AS DECIMAL(38,18))`;
  return `CASE WHEN ${left} = CAST(${value} AS DOUBLE) THEN coalesce(${exact}, ${rough}) ELSE ${rough} END`;
}

async function list(chain: Chain, field: Field, values: readonly Scalar[]): Promise<string> {
  const parts: string[] = [];
  for (const value of values) parts.push(`(${compared(field, '=', await operand(chain, field, value))})`);
  return parts.join(' OR ');
}

/** A condition that is true when all comparisons hold. */
export async function compileComparison(chain: Chain, field: Field, comparison: Comparison): Promise<string> {
  const parts: string[] = [];
  for (const [name, sign] of Object.entries(operators)) {
    const value = comparison[name as keyof typeof operators];
    if (value === undefined) continue;
    if (name !== 'eq' && name !== 'ne') bounded(chain, field, value);
    parts.push(compared(field, sign, await operand(chain, field, value)));
  }
  if (comparison.in !== undefined) parts.push(await list(chain, field, comparison.in));
  if (comparison.is_null !== undefined) parts.push(`${field.id} IS ${comparison.is_null ? '' : 'NOT '}NULL`);
  return parts.length === 0 ? 'true' : parts.map((part) => `(${part})`).join(' AND ');
}

/** One way to break a rule: `broken` is true for rows that do. */
export interface Check {
  readonly rule: string;
  readonly reason: string;
  readonly broken: string;
}

async function checkPattern(chain: Chain, field: Field, pattern: string): Promise<Check> {
  const broken = `NOT regexp_full_match(${textValue(field)}, ${literal(pattern)})`;
  try {
    await chain.engine.rows(`SELECT regexp_full_match('', ${literal(pattern)})`);
  } catch (error) {
    throw chain.error(`column ${field.name}: the pattern is not a regular expression (RE2)`, error);
  }
  return { rule: 'pattern', reason: 'the value does not match the pattern', broken };
}

async function checkBound(chain: Chain, field: Field, name: 'min' | 'max', value: Scalar): Promise<Check> {
  bounded(chain, field, value);
  const [sign, side] = name === 'min' ? ['<', 'less than the least'] : ['>', 'greater than the greatest'];
  const broken = compared(field, sign, await operand(chain, field, value));
  return { rule: name, reason: `the value is ${side} value allowed, ${value}`, broken };
}

/** The row-wise rules of a column in the order not_null, min, max, pattern, in; `sql` and `unique` are compiled apart. */
export async function compileRules(chain: Chain, field: Field, rule: Rule): Promise<readonly Check[]> {
  const checks: Check[] = [];
  if (rule.not_null === true) checks.push({ rule: 'not_null', reason: 'the value is missing', broken: `${field.id} IS NULL` });
  if (rule.min !== undefined) checks.push(await checkBound(chain, field, 'min', rule.min));
  if (rule.max !== undefined) checks.push(await checkBound(chain, field, 'max', rule.max));
  if (rule.pattern !== undefined) checks.push(await checkPattern(chain, field, rule.pattern));
  if (rule.in !== undefined) {
    checks.push({ rule: 'in', reason: 'the value is not among those allowed', broken: `NOT (${await list(chain, field, rule.in)})` });
  }
  return checks;
}
