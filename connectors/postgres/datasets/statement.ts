import { createHash, hash } from 'node:crypto';
import { MillraceError } from '../../../schema/errors.ts';

export interface CompiledStatement {
  /** The same for all requests of one shape: values are parameters. */
  readonly text: string;
  readonly values: readonly unknown[];
  /** What each value belongs to, for errors: `column "plan"`. */
  readonly subjects: readonly string[];
}

/** One SQL statement while it is written: its parameters, and the datasets that it reads. */
export interface Statement {
  /** A parameter as SQL. The cast gives it its type; without one PostgreSQL infers it. */
  bind(value: unknown, subject: string, cast?: string): string;
  /**
   * Adds a dataset's query and gives its name. It stands before everything else (WITH), where no other dataset's columns are in sight: a
   * rule that names a column which isn't there fails, instead of meaning another dataset's.
   */
  dataset(sql: string): string;
  /** A number that nothing else in the statement has, for names. */
  number(): number;
  /** The two halves of the key of `hash`, bound once. */
  pads(): readonly [inner: string, outer: string];
  /** The whole with its last part, which reads the datasets. */
  complete(sql: string): CompiledStatement;
}

export function newStatement(maskKey: string | undefined): Statement {
  const values: unknown[] = [];
  const subjects: string[] = [];
  const datasets: string[] = [];
  let numbers = 0;
  let pads: readonly [string, string] | undefined;
  const bind = (value: unknown, subject: string, cast?: string): string => {
    values.push(value);
    subjects.push(subject);
    return cast === undefined ? `$${values.length}` : `$${values.length}::${cast}`;
  };
  return {
    bind,
    number: () => numbers++,
    dataset: (sql) => {
      const name = `_dataset_${datasets.length}`;
      // Not materialized: conditions reach its indexes as if it stood in its place.
      datasets.push(`${name} AS NOT MATERIALIZED (\n${sql}\n)`);
      return name;
    },
    pads: () => {
      if (maskKey === undefined) throw new MillraceError('config', 'a mask of kind hash needs gateway.mask_key');
      const [inner, outer] = padsOf(maskKey);
      return (pads ??= [bind(inner, 'the mask key', 'bytea'), bind(outer, 'the mask key', 'bytea')]);
    },
    complete: (sql) => ({ text: datasets.length === 0 ? sql : `WITH ${datasets.join(', ')}\n${sql}`, values, subjects }),
  };
}

/** The name of a text's prepared statement. */
export const statementName = (text: string): string => `d_${hash('sha256', text, 'hex').slice(0, 32)}`;

const blockBytes = 64;

/** What HMAC-SHA256 hashes before the message, and before that hash: https://www.rfc-editor.org/rfc/rfc2104 */
function padsOf(maskKey: string): readonly [Buffer, Buffer] {
  const given = Buffer.from(maskKey, 'utf8');
  const key = Buffer.alloc(blockBytes);
  (given.length > blockBytes ? createHash('sha256').update(given).digest() : given).copy(key);
  return [Buffer.from(key.map((byte) => byte ^ 0x36)), Buffer.from(key.map((byte) => byte ^ 0x5c))];
}
