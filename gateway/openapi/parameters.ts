import type { Comparison, DatasetColumn } from '../../schema/dataset.ts';
import { bounds } from '../rest/filters.ts';
import { mediaTypes } from '../rest/negotiate.ts';
import { relationLimit } from '../read.ts';
import { comparisonsOf, isOrdered, measuresOf } from '../values.ts';
import type { View } from '../view.ts';
import { csvText } from './responses.ts';
import { givenSchema, type Schema } from './schemas.ts';

export type Parameter = Readonly<Record<string, unknown>>;

const query = (name: string, schema: Schema, description: string): Parameter => ({ name, in: 'query', description, schema });

const list = (name: string, names: readonly string[], description: string, more: Schema = {}): readonly Parameter[] =>
  names.length === 0
    ? []
    : [
        {
          name,
          in: 'query',
          description,
          style: 'form',
          explode: false,
          schema: { type: 'array', minItems: 1, maxItems: 50, ...more, items: { type: 'string', enum: names } },
        },
      ];

const said: Readonly<Record<Comparison, string>> = {
  eq: 'equal to it',
  ne: 'another value, or NULL, which `[null]=false` beside it leaves out',
  gt: 'greater',
  gte: 'greater or equal',
  lt: 'less',
  lte: 'less or equal',
  in: 'one of these',
  not_in: 'none of these, or NULL, which `[null]=false` beside it leaves out',
  contains: 'has this text in it, whatever its case',
  starts: 'begins with this text',
  null: 'whether it is NULL',
};

/** Parameters that filter by the columns of a view. Taken more than once, all must hold. */
function filterParameters(view: View, prefix: string, reserved: readonly string[]): readonly Parameter[] {
  return [...view.columns].flatMap(([name, { column, mask }]) =>
    mask === undefined ? comparisonsOf(column).map((op) => filterParameter(column, `${prefix}${name}`, op, reserved.includes(name))) : [],
  );
}

function filterParameter(column: DatasetColumn, name: string, op: Comparison, isReserved: boolean): Parameter {
  const written = op === 'eq' && !isReserved ? name : `${name}[${op}]`;
  if (op === 'null') return query(written, { type: 'boolean' }, said[op]);
  if (op !== 'in' && op !== 'not_in') return query(written, givenSchema(column), said[op]);
  const items = givenSchema(column);
  return {
    ...query(written, { type: 'array', minItems: 1, maxItems: bounds.listItems, items }, `${said[op]}; a comma in an item is written \\,`),
    style: 'form',
    explode: false,
  };
}

const usable = (view: View): readonly string[] =>
  [...view.columns].filter(([, { column, mask }]) => mask === undefined && isOrdered(column)).map(([name]) => name);

const escaped = (name: string): string => name.replaceAll('\\', '\\\\').replaceAll(',', '\\,');

const fieldsParameter = (view: View, prefix: string): readonly Parameter[] =>
  list(`${prefix}fields`, [...view.columns.keys()].map(escaped), 'Columns of the answer. Default: all.', { maxItems: bounds.fields });

function sortParameter(view: View, prefix: string): readonly Parameter[] {
  const names = usable(view).map(escaped);
  const keys = names.flatMap((name) => [name, `-${name}`]);
  return list(`${prefix}sort`, keys, 'Order of the rows; `-` before a column descends. The key decides between equal ones.', {
    maxItems: bounds.sortKeys,
  });
}

const limitParameter = (view: View, prefix: string, otherwise: number): Parameter =>
  query(`${prefix}limit`, { type: 'integer', minimum: 1, maximum: view.limit.max }, `The most rows. Without it: ${otherwise}.`);

/** Paths of relations, shortest first; those that would be too many are left out. */
function relationPaths(view: View): readonly string[] {
  const paths: string[] = [];
  let level: readonly (readonly [string, View])[] = [['', view]];
  for (let depth = 1; depth <= bounds.depth && paths.length < 40; depth++) {
    level = level.flatMap(([path, one]) => [...one.relations].map(([name, { view: other }]) => [`${path}${name}.`, other()] as const));
    paths.push(...level.map(([path]) => path.slice(0, -1)));
  }
  return paths.slice(0, 40);
}

/** `include`, and the parameters of the relations of the rows themselves; none has a default, for what is sent includes the relation. */
function relationParameters(view: View): readonly Parameter[] {
  const about =
    'Relations of the answer. Each takes parameters of its own behind its name and a dot, which include it too, and filter its rows alone.';
  const own = [...view.relations].flatMap(([name, { definition, view: other }]) => {
    const prefix = `${name}.`;
    if (definition.one) return fieldsParameter(other(), prefix);
    const otherwise = Math.min(relationLimit, other().limit.default);
    return [
      ...fieldsParameter(other(), prefix),
      ...sortParameter(other(), prefix),
      limitParameter(other(), prefix, otherwise),
      ...filterParameters(other(), prefix, ['fields', 'sort', 'limit']),
    ];
  });
  return [...list('include', relationPaths(view), about, { maxItems: bounds.relations }), ...own];
}

export const getParameters = (view: View): readonly Parameter[] => [...fieldsParameter(view, ''), ...relationParameters(view)];

/** Parameters of a list, those of its columns last. */
export function listParameters(view: View, reserved: readonly string[]): readonly Parameter[] {
  return [
    ...fieldsParameter(view, ''),
    ...sortParameter(view, ''),
    limitParameter(view, '', view.limit.default),
    query('cursor', { type: 'string', pattern: '^[A-Za-z0-9_-]+$' }, '`next` of the page before, with the same sort.'),
    query('count', { type: 'string', enum: ['exact', 'estimated'] }, 'Counts the rows that match, on all pages.'),
    query(
      'format',
      { type: 'string', enum: Object.keys(mediaTypes) },
      `In place of the Accept header. \`ndjson\` and \`csv\` stream all rows, or as many as \`limit\` says. ${csvText}`,
    ),
    ...relationParameters(view),
    ...filterParameters(view, '', reserved),
  ];
}

export function aggregateParameters(view: View, reserved: readonly string[]): readonly Parameter[] {
  const measures = [...view.columns].flatMap(([name, { column, mask }]) =>
    mask === undefined ? measuresOf(column).map((measure) => `${measure}:${escaped(name)}`) : [],
  );
  return [
    ...list('measures', ['count', ...measures], 'What is measured of each group. Default: count.', { maxItems: bounds.measures }),
    ...list('group', usable(view).map(escaped), 'Columns whose equal values make a group. Default: all rows are one.', {
      maxItems: bounds.groups,
    }),
    ...filterParameters(view, '', reserved),
  ];
}
