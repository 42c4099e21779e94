import type { Preview } from '../../worker/preview.ts';
import { table } from './table.ts';
import { count, counted, oneLine } from './text.ts';

function sentence({ stream, target, counts, complete }: Preview): string {
  const others = [
    [counts.rejected, 'rejected'],
    [counts.filtered, 'filtered'],
    [counts.duplicates, 'taken as duplicates'],
  ] as const;
  const parts = [
    `${counted(counts.read, 'row')} read`,
    `${count(counts.rows)} would be loaded`,
    ...others.filter(([value]) => value > 0).map(([value, word]) => `${count(value)} ${word}`),
  ];
  return `${stream} → ${target}: ${parts.join(', ')}${complete ? '' : ' (of a sample from its beginning)'}`;
}

function rejectionLine({ position, column, rule, reason, row }: Preview['rejections'][number]): string {
  const where = [`line ${position ?? '?'}`, column ?? ''].filter((part) => part !== '').join(', ');
  return `  ${where}: ${rule ?? ''}: ${reason ?? ''}: ${oneLine(row ?? '')}`;
}

/** One stream's preview, with values. */
export function previewLines(preview: Preview): readonly string[] {
  const { columns, rows, rejections, counts, notes } = preview;
  const titles = columns.map(({ name, type }) => ({ title: `${name} (${type})` }));
  const more = counts.rows - rows.length;
  return [
    sentence(preview),
    ...table(
      titles,
      rows.map((row) => row.map((value) => value ?? 'NULL')),
    ),
    ...(more > 0 ? [`… ${count(more)} more`] : []),
    ...(rejections.length > 0 ? ['would be rejected:', ...rejections.map(rejectionLine)] : []),
    ...notes.map((note) => `note: ${note}`),
    '',
  ];
}
