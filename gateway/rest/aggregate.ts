import {
  measureFunctions,
  type AggregateMember,
  type DatasetAggregate,
  type DatasetRequest,
  type MeasureFunction,
} from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { mostGroups } from '../groups.ts';
import { badRequest } from '../problem.ts';
import { columnsOf, isUsable } from '../read.ts';
import { measuresOf } from '../values.ts';
import { rulesOf, type View } from '../view.ts';
import { bounds, masked } from './filters.ts';
import { wrongOrder } from './level.ts';
import { itemsOf, nearest, shown, type Parameter, Wrongs } from './parameters.ts';
import { levelsOf, settings } from './question.ts';

interface Measure {
  readonly function: MeasureFunction;
  readonly column?: string;
}

/** The groups that the parameters ask for, under `data`. Throws 400 with all that is wrong. */
export function aggregateQuestion(view: View, caller: Caller, parameters: readonly Parameter[]): DatasetRequest {
  const wrongs = new Wrongs();
  const level = levelsOf(view, parameters, settings.aggregate, true, wrongs);
  const groupBy = groupsOf(view, level.given.get('group'), wrongs);
  const written = itemsOf(level.given.get('measures') ?? 'count');
  if (written.length > bounds.measures) wrongs.add('measures', `may have at most ${bounds.measures} items`);
  const measures = written.slice(0, bounds.measures).flatMap((item) => measureOf(view, item, wrongs));
  if (wrongs.errors.length > 0) throw badRequest(wrongs.errors);
  const filter = level.filters.all;
  const request: DatasetAggregate = {
    kind: 'aggregate',
    source: view.source,
    rules: rulesOf(view, caller),
    columns: columnsOf(view),
    ...(filter === undefined ? {} : { filter }),
    groupBy,
    members: membersOf(groupBy, measures),
    limit: mostGroups + 1,
  };
  return { kind: 'object', members: [{ kind: 'member', as: 'data', request }] };
}

function groupsOf(view: View, given: string | undefined, wrongs: Wrongs): readonly string[] {
  if (given === undefined) return [];
  const items = itemsOf(given);
  if (items.length > bounds.groups) wrongs.add('group', `may have at most ${bounds.groups} columns`);
  return [...new Set(items.slice(0, bounds.groups))].filter((name) => {
    const wrong = wrongOrder(view, name);
    if (wrong !== undefined) wrongs.add('group', wrong);
    return wrong === undefined;
  });
}

function measureOf(view: View, item: string, wrongs: Wrongs): readonly Measure[] {
  const at = item.indexOf(':');
  const written = at < 0 ? item : item.slice(0, at);
  const name = at < 0 ? undefined : item.slice(at + 1);
  const known = measureFunctions.find((one) => one === written);
  const wrong = known === undefined ? unknownMeasure(written) : wrongMeasure(view, known, name);
  if (wrong !== undefined) wrongs.add('measures', wrong);
  if (wrong !== undefined || known === undefined) return [];
  return [name === undefined ? { function: known } : { function: known, column: name }];
}

const unknownMeasure = (written: string): string =>
  `names "${shown(written)}", which is none of ${measureFunctions.join(', ')}${nearest(written, measureFunctions)}`;

function wrongMeasure(view: View, known: MeasureFunction, name: string | undefined): string | undefined {
  if (name === undefined) return known === 'count' ? undefined : `must say the column of ${known}, as in ${known}:column`;
  const found = view.columns.get(name);
  if (found === undefined) return `names "${shown(name)}", which is no column${nearest(name, view.columns.keys())}`;
  if (!isUsable(view, name)) return `names "${name}", which ${masked}`;
  const allowed = measuresOf(found.column);
  if (allowed.includes(known)) return undefined;
  return `has ${known}:${name}, but a column of the type ${found.column.type} has ${allowed.join(', ')} alone`;
}

/** `{"group": {"plan": …}, "count": …, "sum": {"total": …}}`; a count of a column is under `counts`. */
function membersOf(groupBy: readonly string[], measures: readonly Measure[]): readonly AggregateMember[] {
  const group = groupBy.map((column): AggregateMember => ({ kind: 'group', as: column, column }));
  const ofRows = measures.some(({ column }) => column === undefined);
  const ofColumns = measureFunctions.flatMap((name): AggregateMember[] => {
    const columns = [...new Set(measures.flatMap((one) => (one.function === name && one.column !== undefined ? [one.column] : [])))];
    const members = columns.map((column): AggregateMember => ({ kind: 'measure', as: column, function: name, column }));
    return columns.length === 0 ? [] : [{ kind: 'object', as: name === 'count' ? 'counts' : name, members }];
  });
  return [
    ...(group.length === 0 ? [] : [{ kind: 'object', as: 'group', members: group } as const]),
    ...(ofRows ? [{ kind: 'measure', as: 'count', function: 'count' } as const] : []),
    ...ofColumns,
  ];
}
