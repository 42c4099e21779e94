import { z } from 'zod';
import type { FieldValue } from '../../schema/value.ts';
import type { OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { isNumeric, type SalesforceField, type SalesforceFields } from './describe.ts';
import { ask, parsed, type Org } from './org.ts';
import { textOf } from './records.ts';

const page = z.looseObject({
  done: z.boolean(),
  records: z.array(z.looseObject({ Id: z.string() })),
  nextRecordsUrl: z.string().optional(),
});

/** Ids by row, in order: none, one, or several where the field doesn't identify. */
export type FoundIds = readonly (readonly string[])[];

const valuesOfQuery = 200;
/** A request's address and headers may have 16 KB together. */
const bytesOfQuery = 8_000;

/** An id's first fifteen characters tell it; the last three are a checksum. */
export const shortId = (id: string): string => id.slice(0, 15);

/** What two values have in common that Salesforce takes for equal. */
function canonical(field: SalesforceField | undefined, text: string): string {
  if (field === undefined) return text;
  if (isNumeric(field)) return String(Number(text));
  if (field.type === 'id') return shortId(text);
  return field.caseSensitive ? text.trim() : text.trim().toLowerCase();
}

/** https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm */
function literal(field: SalesforceField | undefined, value: FieldValue): string {
  if (field !== undefined && (isNumeric(field) || field.type === 'date' || field.type === 'datetime')) return textOf(value);
  const escaped = textOf(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `'${escaped}'`;
}

function chunks(literals: readonly string[]): readonly (readonly string[])[] {
  const result: string[][] = [];
  let room = 0;
  for (const text of literals) {
    const bytes = encodeURIComponent(text).length + 3;
    const last = result.at(-1);
    if (last === undefined || last.length >= valuesOfQuery || bytes > room) {
      result.push([text]);
      room = bytesOfQuery - bytes;
    } else {
      last.push(text);
      room -= bytes;
    }
  }
  return result;
}

async function query(org: Org, soql: string, attempt: Attempt): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const first = await ask(org, { method: 'GET', path: 'query', query: { q: soql }, repeatable: true }, attempt);
  const records: Readonly<Record<string, unknown>>[] = [];
  for (let answer = parsed(org, page, first); ;) {
    records.push(...answer.records);
    if (answer.done || answer.nextRecordsUrl === undefined) return records;
    const path = answer.nextRecordsUrl.replace(`${org.path}/`, '');
    answer = parsed(org, page, await ask(org, { method: 'GET', path, repeatable: true }, attempt));
  }
}

/** Looks up the ids of the objects that rows are about, by the field that finds them. */
export async function findIds(org: Org, fields: SalesforceFields, rows: readonly OutgoingRow[], attempt: Attempt): Promise<FoundIds> {
  const field = fields.get(org.match);
  const values = rows.map((row) => row.match[org.match] ?? null);
  const literals = [...new Set(values.filter((value) => value !== null).map((value) => literal(field, value)))];
  const ids = new Map<string, string[]>();
  const columns = org.match === 'Id' ? 'Id' : `Id, ${org.match}`;
  for (const part of chunks(literals)) {
    const soql = `SELECT ${columns} FROM ${org.object} WHERE ${org.match} IN (${part.join(',')})`;
    for (const record of await query(org, soql, attempt)) {
      const key = canonical(field, String(record[org.match]));
      ids.set(key, [...(ids.get(key) ?? []), String(record['Id'])]);
    }
  }
  return values.map((value) => ids.get(canonical(field, textOf(value))) ?? []);
}
