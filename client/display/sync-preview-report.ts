import type { PreviewRow, SyncPreview } from '../../schema/sync-books.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { PreviewedSync } from '../../worker/preview-sync.ts';
import { operationsText } from './sync-report.ts';
import { table } from './table.ts';
import { count, counted, duration, oneLine } from './text.ts';

/** A value as people read it; NULL empties its field. */
export const valueText = (value: unknown): string =>
  value === null || value === undefined ? 'NULL' : typeof value === 'string' ? value : JSON.stringify(value);

function totals({ modelRows, ledgerRows, unchanged, again, waiting }: SyncPreview): string {
  const parts = [
    `${counted(modelRows, 'row')} in the model`,
    `${count(ledgerRows)} acknowledged before`,
    `${count(unchanged)} unchanged`,
    ...(again > 0 ? [`${count(again)} again after a refusal`] : []),
    ...(waiting > 0 ? [`${count(waiting)} waiting for their next time or for a decision`] : []),
  ];
  return parts.join(', ');
}

function costs({ preview, estimate }: PreviewedSync): readonly string[] {
  const { requests, seconds, cost } = estimate;
  if (requests === 0) return [];
  const time = seconds === undefined ? '' : `, ${duration(seconds)} at the rate that the application allows`;
  const billed = cost === undefined ? '' : `; ${count(cost.units)} ${cost.unit}`;
  return [`about ${counted(requests, 'request')}, ${count(preview.fields)} fields${time}${billed}`];
}

function sampleTable({ match, map }: SyncDefinition, samples: readonly PreviewRow[]): readonly string[] {
  const fields = [...match, ...map].map(({ field }) => field);
  const cell = ({ values, changed }: PreviewRow, field: string): string => {
    if (!(field in values)) return '';
    const isChanged = changed === null || changed.includes(field) || match.some((one) => one.field === field);
    return isChanged ? valueText(values[field]) : `(${valueText(values[field])})`;
  };
  return table(
    [{ title: 'key' }, { title: 'operation' }, ...fields.map((field) => ({ title: field }))],
    samples.map((row) => [row.key, row.operation, ...fields.map((field) => cell(row, field))]),
  );
}

/** What a run of a sync would do and take. */
export function syncPreviewLines(sync: SyncDefinition, previewed: PreviewedSync): readonly string[] {
  const { preview } = previewed;
  const operations = operationsText(preview.operations);
  const planned = Object.values(preview.operations).reduce((sum, rows) => sum + rows, 0);
  const more = planned - preview.samples.length;
  return [
    `${sync.model.name} → ${sync.to.name}.${sync.object} (${sync.mode}): ${operations === '' ? 'nothing to send' : operations}`,
    totals(preview),
    ...costs(previewed),
    ...preview.invalid.map(
      ({ reason, rows, keys }) => `invalid: ${counted(rows, 'row')}: ${reason}${keys.length === 0 ? '' : `: ${oneLine(keys.join(', '))}`}`,
    ),
    ...preview.notes.map((note) => `note: ${note}`),
    ...(preview.samples.length === 0 ? [] : ['', ...sampleTable(sync, preview.samples)]),
    ...(more > 0 && preview.samples.length > 0 ? [`… ${count(more)} more`] : []),
  ];
}
