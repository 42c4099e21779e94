import type { Explanation, LogEntry } from '../../schema/sync-books.ts';
import type { ExplainedSync } from '../../worker/explain-sync.ts';
import { openRowLines } from './sync-books-report.ts';
import { valueText } from './sync-preview-report.ts';
import { table, type TableColumn } from './table.ts';
import { oneLine } from './text.ts';

const at = (moment: string): string => moment.slice(0, 19).replace('T', ' ');

function named(title: string, values: Readonly<Record<string, unknown>>): readonly string[] {
  const width = Math.max(0, ...Object.keys(values).map((name) => name.length));
  return [title, ...Object.entries(values).map(([name, value]) => `    ${name.padEnd(width)}  ${oneLine(valueText(value))}`)];
}

function acknowledged({ acknowledged: last }: Explanation): readonly string[] {
  if (last === null) return ['acknowledged: never'];
  return [`acknowledged: ${at(last.at)}${last.remoteId === null ? '' : `, as ${last.remoteId}`}`];
}

function planned({ planned: next }: Explanation): readonly string[] {
  if (next === null) return ['the next run: sends nothing'];
  const changed = next.changed === null ? '' : ` of ${next.changed.join(', ')}`;
  return named(`the next run: ${next.operation}${changed} (${next.change})`, next.values);
}

const logColumns: readonly TableColumn[] = [
  { title: 'when' },
  { title: 'operation' },
  { title: 'outcome' },
  { title: 'reason' },
  { title: 'request' },
];

const logRow = ({ at: moment, operation, outcome, reason, requestId }: LogEntry): readonly string[] => [
  at(moment),
  operation ?? '',
  outcome,
  reason ?? '',
  requestId ?? '',
];

function requestLines({ method, url, headers, body }: ExplainedSync['requests'][number]): readonly string[] {
  return [
    `    ${method} ${url}`,
    ...Object.entries(headers).map(([name, value]) => `    ${name}: ${oneLine(value)}`),
    ...(body === undefined ? [] : ['', ...body.split('\n').map((line) => `    ${oneLine(line)}`)]),
  ];
}

/** Why a row was or wasn't sent, what became of it, and what the next run would ask. */
export function explanationLines({ explanation, requests }: ExplainedSync): readonly string[] {
  const { key, verdict, model, open, log } = explanation;
  return [
    `${oneLine(key)}: ${oneLine(verdict)}`,
    '',
    ...(model === null ? ['the model: has no such row'] : named('the model:', model)),
    ...acknowledged(explanation),
    ...(open === null ? [] : openRowLines(open).map((line, index) => (index === 0 ? `open: ${line}` : line))),
    ...planned(explanation),
    ...requests.flatMap((request) => ['', 'the request, secrets removed:', ...requestLines(request)]),
    ...(log.length === 0 ? [] : ['', ...table(logColumns, log.map(logRow))]),
  ];
}
