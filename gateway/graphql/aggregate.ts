import { getNamedType, type FieldNode } from 'graphql';
import type { AggregateMember, DatasetAggregate, MeasureFunction } from '../../schema/dataset.ts';
import { mostGroups } from '../groups.ts';
import { columnsOf } from '../read.ts';
import { rulesOf } from '../view.ts';
import type { AggregateType } from './aggregate-type.ts';
import { filterOf } from './filter.ts';
import { inputFailure } from './failure.ts';
import { limitOf, type Arguments } from './page.ts';
import type { Planner } from './plan.ts';
import type { RowType } from './row-type.ts';
import { fieldsBelow, type Selected } from './selection.ts';

/** The request of groups of rows. */
export function planAggregate(planner: Planner, groups: AggregateType, field: Selected, given: Arguments): DatasetAggregate {
  const { rows } = groups;
  const [node] = field.nodes;
  const { operation, caller } = planner.planning;
  const groupBy: readonly string[] = Array.isArray(given['groupBy']) ? [...new Set<string>(given['groupBy'])] : [];
  const limit = groupsOf(rows, groupBy, given, node);
  planner.spend(node, 1 + limit);
  const filter = filterOf(rows, given['filter'], node);

  const measured = (part: Selected, name: MeasureFunction): AggregateMember => ({
    kind: 'object',
    as: part.as,
    members: fieldsBelow(operation, part).map(({ as, name: measure }): AggregateMember => {
      const column = groups.measures.get(name)?.get(measure);
      const type = partName(groups, name);
      return column === undefined ? { kind: 'constant', as, value: type } : { kind: 'measure', as, function: name, column };
    }),
  });
  const grouped = (part: Selected): AggregateMember => ({
    kind: 'object',
    as: part.as,
    members: fieldsBelow(operation, part).map(({ as, name, nodes }): AggregateMember => {
      const column = groups.group.get(name);
      const type = partName(groups, 'group');
      if (column === undefined) return { kind: 'constant', as, value: type };
      if (!groupBy.includes(column)) throw inputFailure(`"${name}" isn't in "groupBy".`, nodes[0]);
      return { kind: 'group', as, column };
    }),
  });
  const member = (part: Selected): AggregateMember => {
    switch (part.name) {
      case 'count':
        return { kind: 'measure', as: part.as, function: 'count' };
      case 'group':
        return grouped(part);
      case 'sum':
      case 'avg':
      case 'min':
      case 'max':
        return measured(part, part.name);
      default:
        return { kind: 'constant', as: part.as, value: groups.object.name };
    }
  };
  return {
    kind: 'aggregate',
    source: rows.view.source,
    rules: rulesOf(rows.view, caller),
    columns: columnsOf(rows.view),
    ...(filter === undefined ? {} : { filter }),
    groupBy,
    members: fieldsBelow(operation, field).map(member),
    limit,
  };
}

/** How many groups are read: one more than may be given where the caller doesn't say how many he wants, so that none is missing unnoticed. */
function groupsOf(rows: RowType, groupBy: readonly string[], given: Arguments, node: FieldNode): number {
  if (groupBy.length === 0) return 1;
  if (given['first'] === undefined || given['first'] === null) return mostGroups + 1;
  return limitOf(rows, 'first', given['first'], mostGroups, node);
}

const partName = ({ object }: AggregateType, part: string): string => getNamedType(object.getFields()[part]!.type).name;
