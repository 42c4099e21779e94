import type { EdgeMember, PageInfoMember, PageMember } from '../../../schema/dataset.ts';
import type { Columns } from './filter-sql.ts';
import { cursorSql } from './keyset-sql.ts';
import { arrayOf, objectOf, type Member } from './object-sql.ts';
import { numbered, rowsSql, whereSql, type ReadSql } from './rows-sql.ts';
import type { Statement } from './statement.ts';

/** A page of numbered rows: one more than its limit, which tells whether there are more, where that is asked. */
interface Page extends ReadSql {
  readonly name: string;
  /** FROM of the rows that are shown, in the order of the sort. */
  readonly shown: string;
  readonly backward: boolean;
  readonly columns: Columns;
}

/** SQL for a page as the object of its members, as a subquery. */
export function pageSql(statement: Statement, context: ReadSql, members: readonly PageMember[]): string {
  const name = `_p${statement.number()}`;
  const { limit, backward = false } = context.read;
  const readers = members.filter(({ kind }) => kind !== 'constant' && kind !== 'count');
  const isListAlone = readers.length === 1 && readers.every(({ kind }) => kind === 'rows' || kind === 'edges');
  const rows = readers.length === 0 ? '' : rowsSql(statement, context, isListAlone ? limit : limit + 1);
  const numberedRows = numbered(rows);
  const last = backward ? ` ORDER BY ${name}.n DESC` : '';
  const shown = isListAlone
    ? `FROM ${backward ? numberedRows : rows} AS ${name}${last}`
    : `FROM ${name} WHERE ${name}.n <= ${limit}${last}`;
  const page: Page = { ...context, name, shown, backward, columns: context.dataset.under(name) };
  const list = members.map((member): Member => [member.as, memberSql(statement, page, member)]);
  return readers.length === 0 || isListAlone ? objectOf(list) : `(WITH ${name} AS MATERIALIZED ${numberedRows} SELECT ${objectOf(list)})`;
}

function memberSql(statement: Statement, page: Page, member: PageMember): string {
  switch (member.kind) {
    case 'constant':
      return statement.bind(member.value, member.as, 'text');
    case 'rows':
      return arrayOf(page.members(member.fields ?? page.read.fields, page.columns), page.shown);
    case 'edges':
      return arrayOf(
        member.members.map((edge) => edgeMember(statement, page, edge)),
        page.shown,
      );
    case 'next':
      return `CASE WHEN ${hasMore(page)} THEN ${cursorOfFull(statement, page)} END`;
    case 'count':
      return countSql(statement, page, member.exact);
    case 'pageInfo':
      return objectOf(member.members.map((info): Member => [info.as, infoSql(statement, page, info)]));
  }
}

const hasMore = ({ name, read }: Page): string => `EXISTS (SELECT FROM ${name} WHERE ${name}.n > ${read.limit})`;

/** The cursor of the last row of a page that has as many as it may: its number is known. */
function cursorOfFull(statement: Statement, { name, backward, columns, read: { cursorPrefix, sort, limit } }: Page): string {
  return `(SELECT ${cursorSql(statement, cursorPrefix, sort, columns)} FROM ${name} WHERE ${name}.n = ${backward ? Math.min(1, limit) : limit})`;
}

function cursorAt(statement: Statement, page: Page, which: 'first' | 'last'): string {
  const { name, backward, read } = page;
  const cursor = cursorSql(statement, read.cursorPrefix, read.sort, page.columns);
  const direction = (which === 'first') === backward ? ' DESC' : '';
  // The row first: its cursor alone is made.
  const row = `SELECT * FROM ${name} WHERE ${name}.n <= ${read.limit} ORDER BY ${name}.n${direction} LIMIT 1`;
  return `(SELECT ${cursor} FROM (${row}) AS ${name})`;
}

function edgeMember(statement: Statement, page: Page, edge: EdgeMember): Member {
  if (edge.kind === 'constant') return [edge.as, statement.bind(edge.value, edge.as, 'text')];
  if (edge.kind === 'cursor') return [edge.as, cursorSql(statement, page.read.cursorPrefix, page.read.sort, page.columns)];
  return [edge.as, objectOf(page.members(edge.fields, page.columns))];
}

function infoSql(statement: Statement, page: Page, info: PageInfoMember): string {
  const isFrom = page.read.from !== undefined ? 'true' : 'false';
  switch (info.kind) {
    case 'constant':
      return statement.bind(info.value, info.as, 'text');
    case 'hasNextPage':
      return page.backward ? isFrom : hasMore(page);
    case 'hasPreviousPage':
      return page.backward ? hasMore(page) : isFrom;
    case 'startCursor':
      return cursorAt(statement, page, 'first');
    case 'endCursor':
      return cursorAt(statement, page, 'last');
  }
}

/** Counted to here where an estimate is enough. */
const countedExactly = 10_000;
/** Subject of the parameter that the planner's estimate is given as. */
export const estimateSubject = 'the estimate';

function countSql(statement: Statement, { dataset, alias, conditions, nested }: Page, exact: boolean): string {
  const from = `FROM ${dataset.name} AS ${alias}${whereSql(conditions)}`;
  if (exact || nested) return `(SELECT count(*) ${from})`;
  const estimate = statement.bind(0, estimateSubject, 'bigint');
  return `(SELECT CASE WHEN count(*) > ${countedExactly} THEN greatest(${estimate}, count(*)) ELSE count(*) END FROM (SELECT 1 ${from} LIMIT ${countedExactly + 1}) AS _c)`;
}
