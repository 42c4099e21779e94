import { jsonText, type FieldValue, type Json } from '../../schema/value.ts';
import type { OutgoingRow } from '../application.ts';
import type { SalesforceField, SalesforceFields } from './describe.ts';

/** Field to value, as the vendor takes them; a name with a dot is a reference by a field of the other object. */
export type FlatRecord = Readonly<Record<string, FieldValue>>;

/** A value that finds an object, as text. */
export const textOf = (value: FieldValue | undefined): string => (typeof value === 'string' ? value : jsonText(value ?? ''));

const notText = new Set(['anyType', 'boolean', 'currency', 'double', 'int', 'long', 'percent']);

/** Salesforce keeps milliseconds, and wants a zone: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/primitive_data_types.htm */
function dateTime(text: string): string {
  const [, day, time, fraction = '', zone] = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(text) ?? [];
  if (day === undefined) return text;
  const fullZone = zone === undefined ? 'Z' : /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone;
  return `${day}T${time}${fraction.slice(0, 4)}${fullZone}`;
}

function valueFor(field: SalesforceField | undefined, value: FieldValue): FieldValue {
  if (value === null || field === undefined || notText.has(field.type)) return value;
  if (typeof value === 'string') return field.type === 'datetime' ? dateTime(value) : value;
  if (Array.isArray(value) && field.type === 'multipicklist') return value.map(textOf).join(';');
  return jsonText(value);
}

/** The reference itself that a relationship is named after: `Account` → `AccountId`, `Parent__r` → `Parent__c`. */
function referenceOf(relation: string, fields: SalesforceFields): string {
  const found = [...fields.values()].find(({ relationshipName }) => relationshipName === relation);
  return found?.name ?? (relation.endsWith('__r') ? `${relation.slice(0, -1)}c` : `${relation}Id`);
}

/** What is written of a row, with or without what finds it. A NULL for a reference by another field empties the reference. */
export function recordOf(row: OutgoingRow, withMatch: boolean, fields: SalesforceFields): FlatRecord {
  const entries = Object.entries(withMatch ? { ...row.fields, ...row.match } : row.fields).map(([name, value]): [string, FieldValue] => {
    const dot = name.indexOf('.');
    if (dot > 0) return value === null ? [referenceOf(name.slice(0, dot), fields), null] : [name, value];
    return [name, valueFor(fields.get(name), value)];
  });
  return Object.fromEntries(entries);
}

/** A record as JSON holds it. */
export function nested(record: FlatRecord): Readonly<Record<string, Json>> {
  const result: Record<string, Json> = {};
  for (const [name, value] of Object.entries(record)) {
    const dot = name.indexOf('.');
    if (dot < 0) result[name] = value;
    else result[name.slice(0, dot)] = { [name.slice(dot + 1)]: value };
  }
  return result;
}

/** What empties a field in a job's CSV; a field that is left empty there isn't touched. */
const emptied = '#N/A';

/** True when a value can't be told from what empties a field in a job. */
export const isAmbiguousInCsv = (record: FlatRecord): boolean => Object.values(record).includes(emptied);

function csvText(value: FieldValue | undefined): string {
  if (value === undefined) return '';
  if (value === null || value === '') return emptied;
  const text = textOf(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Records as the CSV of a job: a column for each field that any of them has, lines ended by LF. */
export function csvOf(records: readonly FlatRecord[]): string {
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const lines = records.map((record) => columns.map((name) => csvText(record[name])).join(','));
  return `${[columns.join(','), ...lines].join('\n')}\n`;
}
