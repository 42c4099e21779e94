import { closest } from 'fastest-levenshtein';
import { MillraceError } from '../../schema/errors.ts';
import type { Field, ObjectDescription } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpClient } from '../http/client.ts';
import type { DescribeDeclaration, ObjectDeclaration } from './declaration.ts';
import { findAll, findFirst, jsonPath, textOf } from './json-path.ts';
import { compileRequest } from './request.ts';
import { objectScope, type ObjectScope } from './scope.ts';

/** What questions about an object need. */
export interface Describing {
  readonly client: HttpClient;
  readonly declared: ObjectDeclaration;
  readonly scope: ObjectScope;
  /** The object as the project file has it. */
  readonly object: string;
  /** Names connection and object. */
  readonly where: string;
}

/** The fields that are declared, and those that the application tells. Throws `not-found` naming the nearest object. */
export async function describeObject(describing: Describing, attempt: Attempt): Promise<ObjectDescription> {
  const { describe = {} } = describing.declared;
  const known = (describe.fields ?? []).map((field): Field => ({
    name: field.name,
    type: field.type ?? 'any',
    required: field.required ?? false,
    readOnly: field.read_only ?? false,
    unique: field.unique ?? false,
    ...(field.options === undefined ? {} : { options: field.options }),
  }));
  const told = await toldFields(describing, describe, attempt);
  const names = new Set(known.map(({ name }) => name));
  return { fields: [...known, ...told.filter(({ name }) => !names.has(name))], closed: describe.closed ?? false };
}

async function toldFields(describing: Describing, describe: DescribeDeclaration, attempt: Attempt): Promise<readonly Field[]> {
  const { request, items, name } = describe;
  if (request === undefined || items === undefined || name === undefined) return [];
  const { client, scope, where } = describing;
  const answer = await client.request(compileRequest(request, { repeatable: true, expects: 'json' })(objectScope(scope)), attempt);
  if (answer.status === 404) throw await missing(describing, attempt);
  if (answer.status > 299) throw new MillraceError('config', `${where}: its fields can't be read (HTTP ${answer.status})`);
  const namePath = jsonPath(name);
  const read = compileField(describe);
  return findAll(jsonPath(items), answer.body).flatMap(({ value }) => {
    const found = textOf(findFirst(namePath, value));
    return found === undefined ? [] : [read(`${describe.prefix ?? ''}${found}`, value)];
  });
}

function compileField(describe: DescribeDeclaration): (name: string, value: unknown) => Field {
  const path = (text: string | undefined) => (text === undefined ? undefined : jsonPath(text));
  const [type, required, writable, options] = [describe.type, describe.required, describe.writable, describe.options].map(path);
  return (name, value) => {
    const choices = options === undefined ? [] : findAll(options, value).flatMap((found) => textOf(found.value) ?? []);
    return {
      name,
      type: choices.length > 0 ? 'enum' : (describe.types?.[textOf(findFirst(type, value)) ?? ''] ?? 'any'),
      required: findFirst(required, value) === true,
      readOnly: writable !== undefined && findFirst(writable, value) === false,
      unique: false,
      ...(choices.length > 0 ? { options: choices } : {}),
    };
  };
}

/** Names of objects of this kind that the application has; none where it can't list them. */
export async function listObjects(
  { client, declared, scope }: Omit<Describing, 'object' | 'where'>,
  attempt: Attempt,
): Promise<readonly string[]> {
  const { list } = declared;
  if (list === undefined) return [];
  const answer = await client.request(compileRequest(list.request, { repeatable: true, expects: 'json' })(objectScope(scope)), attempt);
  return findAll(jsonPath(list.names), answer.body).flatMap(({ value }) => {
    const name = textOf(value);
    return name === undefined ? [] : [list.form.replace('{}', name)];
  });
}

/** For an object that the application answers 404 to. */
export async function missing(describing: Describing, attempt: Attempt): Promise<MillraceError> {
  const names = await listObjects(describing, attempt);
  const hint = names.length === 0 ? '' : `; the nearest is ${closest(describing.object, [...names])}`;
  return new MillraceError('not-found', `${describing.where}: the application has no such object${hint}`);
}
