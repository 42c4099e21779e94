import { getArgumentValues, getNamedType, type FieldNode, type GraphQLObjectType } from 'graphql';
import type {
  DatasetRead,
  DatasetRequest,
  EdgeMember,
  Filter,
  OutputField,
  PageInfoMember,
  PageMember,
  ReadShape,
} from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { readOf, relationLimit } from '../read.ts';
import type { View } from '../view.ts';
import { planAggregate } from './aggregate.ts';
import { compare } from './filter.ts';
import { inputFailure, tooLarge } from './failure.ts';
import { listOf, pageOf, type Arguments, type Page } from './page.ts';
import type { RoleSchema } from './role-schema.ts';
import type { RowType } from './row-type.ts';
import { fieldsBelow, type Operation, type Selected } from './selection.ts';

/** What an operation is planned for. */
export interface Planning {
  readonly role: RoleSchema;
  readonly operation: Operation;
  readonly caller: Caller;
  readonly limits: { readonly maxDepth: number; readonly maxCost: number };
}

/** What the reads of one operation have touched so far. */
class Touched {
  readonly views = new Set<View>();
  cost = 0;
}

/** A number of rows is counted once for each row above it, and each count of all rows as much as this. */
const countCost = 10;

/** Plans the fields of one operation: checks their arguments, and counts what they cost. */
export class Planner {
  readonly planning: Planning;
  readonly touched = new Touched();

  constructor(planning: Planning) {
    this.planning = planning;
  }

  /** The request of a field of `Query`. */
  root(field: Selected): DatasetRequest {
    const root = this.planning.role.roots.get(field.name);
    if (root === undefined) throw inputFailure(`There is no field "${field.name}".`, field.nodes[0]);
    const query = this.planning.role.schema.getQueryType()!;
    const given = this.argumentsOf(query, field);
    switch (root.kind) {
      case 'page':
        return this.page(root.rows, field, given, root.rows.view.limit.default, 1, 1);
      case 'byKey':
        return this.#byKey(root.rows, root.key, field, given);
      case 'aggregate': {
        this.touch(root.groups.rows.view, field.nodes[0], 1);
        return planAggregate(this, root.groups, field, given);
      }
    }
  }

  argumentsOf(type: GraphQLObjectType, { name, nodes: [node] }: Selected): Arguments {
    const definition = type.getFields()[name];
    return definition === undefined || definition.args.length === 0
      ? {}
      : getArgumentValues(definition, node, this.planning.operation.variables);
  }

  /** A page of rows, as its connection is asked for. `times`: how often it is read, at most. */
  page(rows: RowType, field: Selected, given: Arguments, otherwise: number, level: number, times: number): DatasetRead {
    const [node] = field.nodes;
    const page = pageOf(rows, this.planning.caller, given, otherwise, node);
    this.spend(node, times * (1 + page.limit));
    const next = { level, times: times * Math.max(page.limit, 1) };
    const members = fieldsBelow(this.planning.operation, field).map((member) => this.#pageMember(rows, member, next, times));
    return this.read(rows, page, [], { kind: 'object', members }, level, node);
  }

  #pageMember(rows: RowType, field: Selected, at: Level, times: number): PageMember {
    const { as, name } = field;
    switch (name) {
      case 'nodes':
        return { kind: 'rows', as, fields: this.fields(rows, field, at) };
      case 'edges':
        return {
          kind: 'edges',
          as,
          members: fieldsBelow(this.planning.operation, field).map((member) => this.#edgeMember(rows, member, at)),
        };
      case 'pageInfo':
        return { kind: 'pageInfo', as, members: fieldsBelow(this.planning.operation, field).map(pageInfoMember) };
      case 'totalCount':
        this.spend(field.nodes[0], times * countCost);
        return { kind: 'count', as, exact: true };
      default:
        return { kind: 'constant', as, value: rows.connection!.name };
    }
  }

  #edgeMember(rows: RowType, field: Selected, at: Level): EdgeMember {
    const { as, name } = field;
    if (name === 'cursor') return { kind: 'cursor', as };
    if (name === 'node') return { kind: 'node', as, fields: this.fields(rows, field, at) };
    return { kind: 'constant', as, value: getNamedType(rows.connection!.getFields()['edges']!.type).name };
  }

  /** The fields of rows. */
  fields(rows: RowType, field: Selected, at: Level): readonly OutputField[] {
    return fieldsBelow(this.planning.operation, field).map((one) => this.#field(rows, one, at));
  }

  #field(rows: RowType, field: Selected, at: Level): OutputField {
    const { as, name } = field;
    const column = rows.columns.get(name);
    if (column !== undefined) {
      const mask = rows.view.columns.get(column)?.mask;
      return { kind: 'column', as, column, ...(mask === undefined ? {} : { mask }) };
    }
    const relation = rows.relations.get(name);
    if (relation === undefined) return { kind: 'constant', as, value: rows.object.name };
    const { on } = relation.relation.definition;
    return { kind: 'relation', as, on, read: this.#related(rows, relation.target, relation.kind, field, at) };
  }

  #related(rows: RowType, target: RowType, kind: 'one' | 'list' | 'connection', field: Selected, at: Level): DatasetRead {
    const [node] = field.nodes;
    const level = at.level + 1;
    if (kind === 'one') return this.#one(target, field, undefined, level, at.times);
    const given = this.argumentsOf(rows.object, field);
    if (kind === 'connection') return this.page(target, field, given, relationLimit, level, at.times);
    const page = listOf(target, given, node);
    this.spend(node, at.times * (1 + page.limit));
    const fields = this.fields(target, field, { level, times: at.times * page.limit });
    return this.read(target, page, fields, { kind: 'rows' }, level, node);
  }

  #byKey(rows: RowType, key: ReadonlyMap<string, string>, field: Selected, given: Arguments): DatasetRead {
    const [node] = field.nodes;
    const filters = [...key].map(([argument, column]) =>
      compare(rows.view.columns.get(column)!.column, argument, 'eq', given[argument], node),
    );
    return this.#one(rows, field, { kind: 'and', filters }, 1, 1);
  }

  #one(rows: RowType, field: Selected, filter: Filter | undefined, level: number, times: number): DatasetRead {
    const [node] = field.nodes;
    this.spend(node, times);
    const page: Page = { sort: [], limit: 1, ...(filter === undefined ? {} : { filter }) };
    return this.read(rows, page, this.fields(rows, field, { level, times }), { kind: 'one' }, level, node);
  }

  read(rows: RowType, page: Page, fields: readonly OutputField[], shape: ReadShape, level: number, node: FieldNode): DatasetRead {
    this.touch(rows.view, node, level);
    return readOf(rows.view, this.planning.caller, { ...page, fields, shape });
  }

  /** Notes that a view is read, so many levels deep. */
  touch(view: View, node: FieldNode, level: number): void {
    const { maxDepth } = this.planning.limits;
    if (level > maxDepth) throw tooLarge(`The query has more than ${maxDepth} levels of datasets.`, node);
    this.touched.views.add(view);
  }

  /** Adds to the cost of the operation. Throws when it is too much. */
  spend(node: FieldNode, cost: number): void {
    this.touched.cost += cost;
    const { maxCost } = this.planning.limits;
    if (this.touched.cost > maxCost)
      throw tooLarge(
        `The query may read more than ${maxCost} rows, as "first", "last" and "limit" say on each level: ask for fewer.`,
        node,
      );
  }
}

interface Level {
  readonly level: number;
  /** Rows of this level, at most. */
  readonly times: number;
}

function pageInfoMember({ as, name }: Selected): PageInfoMember {
  switch (name) {
    case 'hasNextPage':
    case 'hasPreviousPage':
    case 'startCursor':
    case 'endCursor':
      return { kind: name, as };
    default:
      return { kind: 'constant', as, value: 'PageInfo' };
  }
}
