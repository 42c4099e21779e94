import { MillraceError } from '../../../schema/errors.ts';
import type { DatasetColumn, DatasetSource, RowRule } from '../../../schema/dataset.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { bareQuery } from '../warehouse/model-query.ts';
import type { Columns } from './filter-sql.ts';
import type { Statement } from './statement.ts';

/** A dataset in a statement: its rows that the rules let through, and its columns under names that clash with nothing. */
export interface DatasetSql {
  /** Its name in FROM. */
  readonly name: string;
  /** Its columns under an alias. */
  under(alias: string): Columns;
}

interface Read {
  readonly source: DatasetSource;
  readonly rules: readonly RowRule[];
  readonly columns: Readonly<Record<string, DatasetColumn>>;
}

/** What is read, as it stands in FROM. */
export function fromSql(source: DatasetSource): string {
  if (source.kind === 'table') return quoteTable(source);
  return `(\n${withoutParameters(bareQuery(source.sql), 'the query of the dataset')}) AS dataset`;
}

/** Adds the dataset of a read to a statement, with the columns that the read uses. */
export function datasetSql(statement: Statement, read: Read, used: Iterable<string>): DatasetSql {
  const names = [...new Set(used)];
  const list = names.map((name, at) => `${quoteIdentifier(name)} AS c${at}`).join(', ');
  const rules = read.rules.map((rule) => `(\n${ruleSql(statement, rule)}\n)`);
  const where = rules.length === 0 ? '' : `\nWHERE ${rules.join(' AND ')}`;
  const name = statement.dataset(`SELECT ${list} FROM ${fromSql(read.source)}${where}`);
  const places = new Map(names.map((column, at) => [column, at]));
  return {
    name,
    under: (alias) => ({
      sql: (column) => `${alias}.c${places.get(column) ?? unknown(column)}`,
      column: (column) => (Object.hasOwn(read.columns, column) ? read.columns[column] : undefined) ?? unknown(column),
    }),
  };
}

function unknown(column: string): never {
  throw new MillraceError('schema', `column ${JSON.stringify(column)} is not in the dataset as it was described`);
}

/** A rule around its parameters: spaces keep them apart from the words next to them. */
function ruleSql(statement: Statement, { parts, values }: RowRule): string {
  const texts = parts.map((part) => withoutParameters(part, 'a row rule'));
  return texts.map((text, at) => (at === 0 ? text : ` ${statement.bind(values[at - 1], 'a claim in a row rule')} ${text}`)).join('');
}

const quotedOrComment = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** SQL of the project's own may not name our parameters. */
function withoutParameters(sql: string, what: string): string {
  if (!/\$\d/.test(sql.replaceAll(quotedOrComment, ' '))) return sql;
  throw new MillraceError('config', `${what} has a parameter of its own ($1, …); only \${claim:name} in a row rule is one`);
}
