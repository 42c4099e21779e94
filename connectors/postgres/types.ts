import type { ColumnType } from '../../schema/column.ts';
import { parseType } from '../../schema/column.ts';

/** A column's type as the catalogue has it, its domain already replaced by what it stands for. */
export interface CatalogType {
  /** `format_type` of the base type: `character varying(20)`, `numeric(10,2)[]`. */
  readonly formatted: string;
  /** As declared, where that differs: a domain. */
  readonly declared: string;
  /** `typtype` of the type, or of the array's elements: b, c, d, e, m, p, r. */
  readonly kind: string;
  /** The type, or the array's elements, belong to PostgreSQL itself. */
  readonly builtIn: boolean;
}

const spellings: readonly (readonly [RegExp, string])[] = [
  [/^character varying/, 'varchar'],
  [/^character\((\d+)\)/, 'char($1)'],
  [/^bit varying/, 'varbit'],
  [/^"bit"/, 'varbit'],
  [/^double precision/, 'double'],
  [/^timestamp(\(\d\))? without time zone/, 'timestamp$1'],
  [/^timestamp(\(\d\))? with time zone/, 'timestamptz$1'],
  [/^time(\(\d\))? without time zone/, 'time$1'],
  [/^time(\(\d\))? with time zone/, 'timetz'],
  [/^interval[^[]*/, 'interval'],
  [/^oid(?=$|\[)/, 'bigint'],
];

/** Types that a column can have here, without modifiers. Their binary forms are the same in every PostgreSQL. */
const knownTypes: ReadonlySet<string> = new Set(
  (
    'boolean smallint integer bigint numeric real double text varchar char date time timetz timestamp timestamptz interval uuid json jsonb ' +
    'bytea inet cidr macaddr bit varbit xml'
  ).split(' '),
);

const kinds: Readonly<Record<string, string>> = { e: 'enum', c: 'composite type', r: 'range', m: 'multirange' };

/** The logical type of a column, and a sentence where it isn't carried over as it is. */
export function columnType(column: string, type: CatalogType): { readonly type: ColumnType; readonly note?: string } {
  const spelled = spellings.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), type.formatted);
  const parsed = parseType(spelled);
  if (type.builtIn && type.kind === 'b' && parsed !== undefined && knownTypes.has(parsed.base)) {
    return type.declared === type.formatted
      ? { type: spelled }
      : { type: spelled, note: `${column}: domain ${type.declared} arrives as ${spelled}` };
  }
  const target = type.formatted.endsWith('[]') ? 'text[]' : 'text';
  const kind = kinds[type.kind] ?? (type.builtIn ? 'type' : "extension's type");
  return { type: target, note: `${column}: ${kind} ${type.declared} arrives as ${target}` };
}

/** A logical type in SQL, for casts. */
export function sqlType(type: ColumnType): string {
  return type.replace(/^double(?=$|\[)/, 'double precision').replace(/^char(?=$|\[)/, 'character');
}

/** Whether values of the type are text for `trim` and `nullif`: text, varchar and char, and not arrays of them. */
export function isText(type: ColumnType): boolean {
  const parsed = parseType(type);
  return parsed !== undefined && !parsed.array && ['text', 'varchar', 'char'].includes(parsed.base);
}

/** Whether binary COPY carries the type from one server to another unchanged. */
export function isBinarySafe(type: ColumnType): boolean {
  const parsed = parseType(type);
  return parsed !== undefined && knownTypes.has(parsed.base);
}
