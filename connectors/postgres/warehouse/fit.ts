import { parseType, type ParsedType } from '../../../schema/column.ts';

/** How a delivered type stands to the target's: `fits` goes in as it is, `widens` needs a wider target first, `conflicts` would lose something. */
export type Fit = 'same' | 'fits' | 'widens' | 'conflicts';

/** `format_type`'s long names in the logical types' short spelling. */
export function shortType(formatted: string): string {
  const array = formatted.endsWith('[]');
  const plain = array ? formatted.slice(0, -2) : formatted;
  const modifiers = /\(([^)]*)\)/.exec(plain)?.[0] ?? '';
  const words = plain
    .replace(/\([^)]*\)/, '')
    .replace(/\s+/g, ' ')
    .trim();
  return `${shortNames[words] ?? words}${modifiers}${array ? '[]' : ''}`;
}

const shortNames: Readonly<Record<string, string>> = {
  'character varying': 'varchar',
  character: 'char',
  'double precision': 'double',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  'time without time zone': 'time',
  'time with time zone': 'timetz',
  'bit varying': 'varbit',
};

/** Compares a delivered type with the target's column. */
export function fitOf(delivered: string, target: string): Fit {
  if (delivered === target) return 'same';
  const from = parseType(delivered);
  const to = parseType(target);
  if (from === undefined || to === undefined || from.array !== to.array)
    return delivered === 'text' || target === 'text' ? textFit(target) : 'conflicts';
  if (holds(to, from)) return 'fits';
  return holds(from, to) ? 'widens' : 'conflicts';
}

function textFit(target: string): Fit {
  return target === 'text' ? 'fits' : 'widens';
}

/** Widening by steps: each type holds every value of those listed. */
const wider: Readonly<Record<string, readonly string[]>> = {
  integer: ['smallint'],
  bigint: ['smallint', 'integer'],
  numeric: ['smallint', 'integer', 'bigint'],
  real: ['smallint'],
  double: ['smallint', 'integer', 'real'],
  timestamp: ['date'],
};

/** Digits before the point that integers need in a `numeric(p,s)`. */
const integerDigits: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

/** True when `wide` holds every value of `narrow` exactly. */
function holds(wide: ParsedType, narrow: ParsedType): boolean {
  if (wide.base === 'text') return true;
  if (wide.base !== narrow.base) return holdsOther(wide, narrow);
  if (wide.base === 'numeric') return holdsNumeric(wide.modifiers, narrow.modifiers);
  if (wide.base === 'char' || wide.base === 'bit') return wide.modifiers[0] === narrow.modifiers[0];
  return lengthOf(narrow) <= lengthOf(wide);
}

function holdsOther(wide: ParsedType, narrow: ParsedType): boolean {
  if (wide.base === 'varchar') return narrow.base === 'char' && lengthOf(wide) >= (narrow.modifiers[0] ?? 1);
  if (wider[wide.base]?.includes(narrow.base) !== true) return false;
  const [precision, scale = 0] = wide.modifiers;
  return wide.base !== 'numeric' || precision === undefined || precision - scale >= (integerDigits[narrow.base] ?? 0);
}

function lengthOf(type: ParsedType): number {
  return type.modifiers[0] ?? Number.POSITIVE_INFINITY;
}

function holdsNumeric(wide: readonly number[], narrow: readonly number[]): boolean {
  if (wide.length === 0) return true;
  if (narrow.length === 0) return false;
  const [precision = 0, scale = 0] = wide;
  const [narrowPrecision = 0, narrowScale = 0] = narrow;
  return scale >= narrowScale && precision - scale >= narrowPrecision - narrowScale;
}
