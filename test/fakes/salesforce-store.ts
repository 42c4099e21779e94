import { salesforceObjects, type SalesforceFakeField } from './salesforce-objects.ts';
import type { Effect } from './fake.ts';

export type Values = Record<string, unknown>;
export type RecordEffect = (effect: Omit<Effect, 'at'>) => void;

interface RowProblem {
  readonly statusCode: string;
  readonly message: string;
  readonly fields: readonly string[];
}
export interface RowResult {
  readonly id?: string;
  readonly success: boolean;
  readonly created?: boolean;
  readonly errors: readonly RowProblem[];
}

/** Nothing is the empty text. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);

const problem = (statusCode: string, message: string, fields: readonly string[] = []): RowResult => ({
  success: false,
  errors: [{ statusCode, message, fields }],
});
const indexKey = (object: string, field: string, value: unknown): string => `${object} ${field} ${textOf(value).toLowerCase()}`;
const identifying = (object: string): readonly SalesforceFakeField[] =>
  salesforceObjects[object]?.filter(({ externalId }) => externalId === true) ?? [];
const prefixes: Readonly<Record<string, string>> = { Account: '001', Health_Score__c: 'a00' };

/** What the org has: objects by id, with those that were deleted, and rows that others hold locked. */
export class SalesforceStore {
  private readonly objects = new Map(Object.keys(salesforceObjects).map((name) => [name, new Map<string, Values>()]));
  private readonly index = new Map<string, string>();
  private readonly deleted = new Set<string>();
  /** External id to how many more writes of it meet a lock. */
  readonly locked = new Map<string, number>();
  private nextId = 0;

  of(object: string): Map<string, Values> {
    return this.objects.get(object) ?? new Map();
  }

  /** By a field that identifies. */
  find(object: string, field: string, value: unknown): readonly Values[] {
    const id = this.index.get(indexKey(object, field, value));
    const found = id === undefined ? undefined : this.of(object).get(id);
    return found === undefined ? [] : [found];
  }

  /** Puts an object into the org past its API. */
  add(object: string, values: Values): string {
    this.nextId += 1;
    const id = `${prefixes[object] ?? 'a99'}${String(this.nextId).padStart(12, '0')}AAA`;
    this.put(object, id, values);
    return id;
  }

  private put(object: string, id: string, values: Values): void {
    const present = this.of(object).get(id) ?? {};
    for (const { name } of identifying(object)) {
      this.index.delete(indexKey(object, name, present[name]));
      if (textOf(values[name]) !== '') this.index.set(indexKey(object, name, values[name]), id);
    }
    this.of(object).set(id, { ...values, Id: id });
  }

  /** Removes an object past its API, as a person would. */
  take(object: string, id: string): void {
    this.put(object, id, {});
    this.of(object).delete(id);
    this.deleted.add(id);
  }

  private isLocked(key: unknown): boolean {
    const left = this.locked.get(String(key)) ?? 0;
    if (left > 0) this.locked.set(String(key), left - 1);
    return left > 0;
  }

  private problemOf(object: string, values: Values, present: Values | undefined): RowResult | undefined {
    const fields = salesforceObjects[object] ?? [];
    const merged = { ...present, ...values };
    const absent = fields.filter(({ name, required }) => required === true && (merged[name] ?? '') === '').map(({ name }) => name);
    if (absent.length > 0) return problem('REQUIRED_FIELD_MISSING', `Required fields are missing: [${absent.join(', ')}]`, absent);
    for (const field of fields) {
      const value = values[field.name];
      const found = value === undefined || value === null ? undefined : this.fieldProblem(object, field, value, present);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private fieldProblem(object: string, field: SalesforceFakeField, value: unknown, present: Values | undefined): RowResult | undefined {
    const { name, options, length, externalId, type } = field;
    if (options !== undefined && !options.includes(String(value))) {
      return problem('INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', `${name}: bad value for restricted picklist field: ${String(value)}`, [
        name,
      ]);
    }
    if (length !== undefined && type === undefined && String(value).length > length) {
      return problem('STRING_TOO_LONG', `${name}: data value too large: ${String(value)} (max length=${length})`, [name]);
    }
    if (name !== 'Id' && field.readOnly === true) {
      return problem('INVALID_FIELD_FOR_INSERT_UPDATE', `Unable to create/update fields: ${name}. Please check the security settings`, [
        name,
      ]);
    }
    const other = externalId === true ? this.find(object, name, value).find((record) => record['Id'] !== present?.['Id']) : undefined;
    if (other === undefined) return undefined;
    const id = String(other['Id']);
    return problem('DUPLICATE_VALUE', `duplicate value found: ${name} duplicates value on record with id: ${id}`, [name]);
  }

  /** References by another field become ids. */
  private resolved(object: string, values: Values): Values | RowResult {
    const result: Values = {};
    for (const [name, value] of Object.entries(values)) {
      const reference = salesforceObjects[object]?.find((field) => field.reference?.as === name);
      if (reference?.reference === undefined || typeof value !== 'object' || value === null) {
        result[name] = value;
        continue;
      }
      const [[key, wanted] = ['', '']] = Object.entries(value);
      const { to } = reference.reference;
      const [target] = this.find(to, key, wanted);
      if (target === undefined) {
        return problem(
          'INVALID_FIELD',
          `Foreign key external ID: ${String(wanted).toLowerCase()} not found for field ${key} in entity ${to}`,
        );
      }
      result[reference.name] = target['Id'];
    }
    return result;
  }

  private keyOf(object: string, values: Values): string {
    const field = salesforceObjects[object]?.find((one) => one.externalId === true && (values[one.name] ?? '') !== '');
    return textOf(values[field?.name ?? 'Id']);
  }

  private save(object: string, given: Values, present: Values | undefined, record: RecordEffect): RowResult {
    const values = this.resolved(object, given);
    if (Array.isArray(values['errors'])) return values as unknown as RowResult;
    const fields = values as Values;
    const key = this.keyOf(object, { ...present, ...fields });
    if (this.isLocked(key)) return problem('UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access to this record');
    const found = this.problemOf(object, fields, present);
    if (found !== undefined) return found;
    const id = present === undefined ? this.add(object, fields) : String(present['Id']);
    if (present !== undefined) this.put(object, id, { ...present, ...fields });
    record({ operation: present === undefined ? 'create' : 'update', object, id, key, fields });
    return { id, success: true, created: present === undefined, errors: [] };
  }

  create(object: string, values: Values, record: RecordEffect): RowResult {
    return this.save(object, values, undefined, record);
  }

  upsert(object: string, by: string, values: Values, record: RecordEffect): RowResult {
    if ((values[by] ?? '') === '') return problem('MISSING_ARGUMENT', `${by} not specified`, [by]);
    return this.save(object, values, this.find(object, by, values[by])[0], record);
  }

  private byId(object: string, id: string): Values | RowResult {
    const found = this.of(object).get(`${id.slice(0, 15)}AAA`);
    if (found !== undefined) return found;
    if (id === '') return problem('MISSING_ARGUMENT', 'Id not specified in an update call');
    if (this.deleted.has(id)) return problem('ENTITY_IS_DELETED', 'entity is deleted');
    return problem('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id');
  }

  update(object: string, id: string, values: Values, record: RecordEffect): RowResult {
    const present = this.byId(object, id);
    return 'errors' in present ? (present as RowResult) : this.save(object, values, present, record);
  }

  delete(object: string, id: string, record: RecordEffect): RowResult {
    const present = this.byId(object, id);
    if ('errors' in present) return present as RowResult;
    const key = this.keyOf(object, present);
    if (this.isLocked(key)) return problem('UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access to this record');
    const full = String((present as Values)['Id']);
    this.take(object, full);
    record({ operation: 'delete', object, id: full, key, fields: {} });
    return { id: full, success: true, errors: [] };
  }

  records(): ReadonlyMap<string, readonly Values[]> {
    return new Map([...this.objects].map(([name, records]) => [name, [...records.values()]]));
  }
}

/** Rows of one call that have the same external id are all refused. */
export function refuseTwins(by: string, rows: readonly Values[], write: (row: Values) => RowResult): readonly RowResult[] {
  const counts = new Map<string, number>();
  const keyOf = (row: Values): string => textOf(row[by]).toLowerCase();
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1);
  return rows.map((row) => {
    const isTwin = keyOf(row) !== '' && (counts.get(keyOf(row)) ?? 0) > 1;
    return isTwin ? problem('DUPLICATE_VALUE', `Duplicate external id specified: ${String(row[by])}`, [by]) : write(row);
  });
}
