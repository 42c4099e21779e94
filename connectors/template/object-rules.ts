import { MillraceError } from '../../schema/errors.ts';
import type { ApplicationRequest } from '../application.ts';
import type { FindDeclaration, MatchingDeclaration, ObjectDeclaration, OperationDeclaration } from './declaration.ts';
import type { FoundObject } from './object.ts';
import { checkNames, type Names } from './scope.ts';

/** Throws `config` for what can't work with this sync's match and fields, naming object and operation. */
export function checkObject(found: FoundObject, request: ApplicationRequest, where: string): void {
  const { declared, scope } = found;
  // Without a match it is only looked at.
  if (request.match.length === 0) return;
  checkMatch(declared, request, where);
  const still: Names = { object: Object.keys(scope.object), write: Object.keys(declared.options ?? {}), match_name: [] };
  const { match, fields } = request;
  const row: Names = { ...still, match, fields, match_value: [], key: [], remote_id: [], idempotency_key: [] };
  const names = { row, batch: { ...still, rows: [] } };
  for (const [name, operation] of Object.entries(declared.operations)) {
    if (isNeeded(name, declared, request)) checkOperation(operation, names, `${where}, operation ${name}`);
  }
  if (declared.find !== undefined) checkFind(declared.find, names, `${where}, find`);
  checkNames([declared.describe?.request, declared.list?.request, declared.check], still, where);
}

/** What the sync never sends may ask for fields that it doesn't have. */
function isNeeded(name: string, { operations }: ObjectDeclaration, { operations: needed }: ApplicationRequest): boolean {
  return needed?.some((each) => each === name || operations[each]?.absent === name) ?? true;
}

interface AllNames {
  readonly row: Names;
  readonly batch: Names;
}

function checkOperation(operation: OperationDeclaration, { row, batch }: AllNames, where: string): void {
  const { path, query, headers, body, form, answers } = operation;
  checkNames([path, query, headers, body, form], operation.batch === undefined ? row : batch, where);
  checkNames([operation.row, fieldOf(answers?.errors?.match), fieldOf(answers?.accepted?.match)], row, where);
}

function checkFind(find: FindDeclaration, { row, batch }: AllNames, where: string): void {
  const { path, query, headers, body, form } = find;
  checkNames([path, query, headers, body, form], find.batch === undefined ? row : batch, where);
  checkNames([find.row, fieldOf(find.match)], row, where);
}

/** The text of rows by which entries of answers are matched. */
const fieldOf = (match: MatchingDeclaration | undefined): string | undefined =>
  typeof match === 'object' && 'field' in match ? match.field : undefined;

function checkMatch(declared: ObjectDeclaration, { match }: ApplicationRequest, where: string): void {
  const allowed = declared.match;
  if (allowed === undefined || (match.length === 1 && match[0] !== undefined && allowed.includes(match[0]))) return;
  throw new MillraceError('config', `${where}: it is matched by ${allowed.join(' or ')}, not by ${match.join(' and ')}`);
}
