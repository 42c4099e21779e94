import type { OutgoingRow } from '../../connectors/application.ts';
import type { PlannedRow } from '../../connectors/sync-books.ts';
import type { Column } from '../../schema/column.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { FieldValue } from '../../schema/value.ts';
import { converterOf, valuesReader } from './field-values.ts';

/** A row on its way, with about the bytes that it has as JSON. */
export interface SizedRow extends OutgoingRow {
  readonly bytes: number;
}

const always = (): boolean => true;

/** Which of the mapped fields are sent. */
function isSent({ changed }: PlannedRow, changedOnly: boolean): (position: number) => boolean {
  if (!changedOnly || changed === null) return always;
  const positions = new Set(changed);
  return (position) => positions.has(position);
}

/** Makes planned rows into those that applications are given; `columns` are those of the plan. */
export function outgoingRows(
  sync: Pick<SyncDefinition, 'match' | 'map'>,
  columns: readonly Column[],
  changedOnly: boolean,
): (planned: PlannedRow) => SizedRow {
  const converters = columns.map(converterOf);
  const valuesOf = valuesReader(columns);
  const first = sync.match.length;
  const names = Buffer.byteLength(JSON.stringify([...sync.match, ...sync.map].map(({ field }) => field)));
  const overhead = names + 4 * columns.length + 64;
  const read = (values: readonly unknown[], at: number): FieldValue => converters[at]?.(values[at]) ?? null;

  const fieldsOf = (planned: PlannedRow, values: readonly unknown[]): Record<string, FieldValue> => {
    const fields: Record<string, FieldValue> = {};
    if (planned.change === 'removed') {
      // The row is gone: what empties its fields is a removal too.
      if (planned.operation === 'update' || planned.operation === 'upsert') for (const { field } of sync.map) fields[field] = null;
      return fields;
    }
    const sent = isSent(planned, changedOnly);
    sync.map.forEach(({ field, whenNull }, position) => {
      if (!sent(position)) return;
      const value = read(values, first + position);
      if (value !== null || whenNull === 'clear') fields[field] = value;
    });
    return fields;
  };

  return (planned) => {
    const values = valuesOf(planned.values);
    const match: Record<string, FieldValue> = {};
    sync.match.forEach(({ field }, at) => (match[field] = read(values, at)));
    return {
      no: planned.no,
      key: planned.key,
      match,
      fields: fieldsOf(planned, values),
      remoteId: planned.remoteId ?? undefined,
      idempotencyKey: planned.idempotencyKey,
      bytes: Buffer.byteLength(planned.values) + overhead,
    };
  };
}
