import { executeSync, getVariableValues, Kind, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import type { RootMember } from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import type { Answer, Answers } from '../context.ts';
import { hasMoreItems, mostGroups } from '../groups.ts';
import { changedMeanwhile } from '../operation/failures.ts';
import { coded, type ValidDocument } from './document.ts';
import { Failure, inputFailure } from './failure.ts';
import { Planner, type Planning } from './plan.ts';
import type { RoleSchema } from './role-schema.ts';
import { fieldsOf, type Operation, type Selected } from './selection.ts';

/** Members of `data` that come together: of one warehouse by one statement, or known already. */
type Part = { readonly kind: 'typename'; readonly as: string } | { readonly kind: 'text'; readonly json: string } | ReadPart;

interface ReadPart {
  readonly kind: 'read';
  readonly warehouse: string;
  readonly request: { readonly kind: 'object'; readonly members: RootMember[] };
}

/** An operation, ready to be answered. */
export interface OperationPlan {
  readonly parts: readonly Part[];
  /** Names of the APIs that it reads. */
  readonly apis: readonly string[];
  readonly reads: readonly string[];
}

export interface OperationCall {
  readonly role: RoleSchema;
  readonly document: ValidDocument;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly caller: Caller;
  readonly limits: Planning['limits'];
}

/** Plans a valid operation with its variables. Throws `Failure`, and `Problem` for a claim that is missing. */
export function planOperation(call: OperationCall): OperationPlan {
  const { role, document, operation: node, caller, limits } = call;
  const coerced = getVariableValues(role.schema, node.variableDefinitions ?? [], call.variables, { maxErrors: 5 });
  if (coerced.errors !== undefined)
    throw new Failure(
      400,
      coerced.errors.map((error) => coded(error, 'BAD_USER_INPUT')),
    );
  const operation: Operation = { fragments: document.fragments, variables: coerced.coerced };
  const planner = new Planner({ role, operation, caller, limits });
  const parts: Part[] = [];
  for (const field of fieldsOf(operation, [node.selectionSet])) addPart(parts, partOf(call, planner, field));
  const views = [...planner.touched.views];
  return {
    parts,
    apis: [...new Set(views.map(({ name }) => name.replace(/\..*$/s, '')))],
    reads: views.some(({ reads }) => reads.length === 0) ? [] : [...new Set(views.flatMap(({ reads }) => reads))],
  };
}

/** Neighbours of one warehouse are one statement. */
function addPart(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  if (last?.kind !== 'read') parts.push(part);
  else if (part.kind === 'read' && part.warehouse === last.warehouse) last.request.members.push(...part.request.members);
  else if (part.kind === 'typename') last.request.members.push({ kind: 'constant', as: part.as, value: 'Query' });
  else parts.push(part);
}

function partOf(call: OperationCall, planner: Planner, field: Selected): Part {
  if (field.name === '__typename') return { kind: 'typename', as: field.as };
  const root = call.role.roots.get(field.name);
  if (root === undefined) return { kind: 'text', json: introspected(call, field) };
  const { view } = root.kind === 'aggregate' ? root.groups.rows : root.rows;
  return {
    kind: 'read',
    warehouse: view.warehouse,
    request: { kind: 'object', members: [{ kind: 'member', as: field.as, request: planner.root(field) }] },
  };
}

/** `__schema` and `__type` are answered from the schema alone. */
function introspected({ role, document, operation, variables }: OperationCall, field: Selected): string {
  const alone: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [{ ...operation, selectionSet: { kind: Kind.SELECTION_SET, selections: field.nodes } }, ...document.fragments.values()],
  };
  const { data, errors } = executeSync({ schema: role.schema, document: alone, variableValues: variables });
  if (errors !== undefined)
    throw new Failure(
      400,
      errors.map((error) => coded(error, 'BAD_USER_INPUT')),
    );
  return JSON.stringify(data).slice(1, -1);
}

export interface Answered {
  /** JSON of `data`. */
  readonly data: string;
  /** Of the one statement that it came from. */
  readonly etag?: string;
  readonly state?: Answer['state'];
}

export interface AnswerOptions {
  /** What was asked, apart from who asks. */
  readonly question: string;
  readonly caller: Caller;
  /** The plan by the shapes as they are now. */
  readonly again: () => OperationPlan;
}

/** Has a plan answered: one statement, but where the warehouses differ. */
export async function answer(plan: OperationPlan, answers: Answers, { question, caller, again }: AnswerOptions): Promise<Answered> {
  const { apis, reads, parts } = plan;
  const read = async (part: ReadPart, index: number): Promise<Answer> => {
    const found = await answers.read({
      caller,
      question: parts.length === 1 ? question : `${index} ${question}`,
      warehouse: part.warehouse,
      apis,
      reads,
      request: () => sameRead(again(), part, index).request,
    });
    if (mayLackGroups(part) && hasMoreItems(found.body, mostGroups)) throw tooManyGroups();
    return found;
  };
  const [first] = parts;
  if (parts.length === 1 && first?.kind === 'read') {
    const { body, etag, state } = await read(first, 0);
    return { data: body, etag, state };
  }
  const texts = await Promise.all(
    parts.map(async (part, index) => {
      if (part.kind === 'text') return part.json;
      if (part.kind === 'typename') return `${JSON.stringify(part.as)}:"Query"`;
      return (await read(part, index)).body.slice(1, -1);
    }),
  );
  return { data: `{${texts.join(',')}}` };
}

const mayLackGroups = ({ request: { members } }: ReadPart): boolean =>
  members.some((one) => one.kind === 'member' && one.request.kind === 'aggregate' && one.request.limit > mostGroups);

const tooManyGroups = (): Failure =>
  inputFailure(`A field with "groupBy" gives more than ${mostGroups} groups: filter rows, group by less, or say how many by "first".`);

function sameRead({ parts }: OperationPlan, { warehouse }: ReadPart, index: number): ReadPart {
  const part = parts[index];
  if (part?.kind === 'read' && part.warehouse === warehouse) return part;
  throw changedMeanwhile();
}
