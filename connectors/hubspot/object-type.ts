import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Field, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { ask, parse, type Account } from './account.ts';

/** Objects of every account, by the names that the API has for them. */
const standardObjects = ['contacts', 'companies', 'deals', 'tickets'] as const;
const others = [
  'products',
  'line_items',
  'quotes',
  'leads',
  'orders',
  'carts',
  'invoices',
  'calls',
  'emails',
  'meetings',
  'notes',
  'tasks',
];

/** What a create must have; of custom objects their schemas tell. */
const required: Readonly<Record<string, readonly string[]>> = {
  deals: ['dealname', 'dealstage'],
  tickets: ['subject', 'hs_pipeline_stage'],
};

const schemas = z.looseObject({
  results: z.array(
    z.looseObject({
      name: z.string(),
      objectTypeId: z.string(),
      fullyQualifiedName: z.string().optional(),
      requiredProperties: z.array(z.string()).optional(),
    }),
  ),
});

const properties = z.looseObject({
  results: z.array(
    z.looseObject({
      name: z.string(),
      type: z.string(),
      fieldType: z.string().optional(),
      options: z.array(z.looseObject({ value: z.string() })).default([]),
      calculated: z.boolean().default(false),
      hasUniqueValue: z.boolean().default(false),
      modificationMetadata: z.looseObject({ readOnlyValue: z.boolean().default(false) }).default({ readOnlyValue: false }),
    }),
  ),
});
type Property = z.infer<typeof properties>['results'][number];

/** An object type of an account; what it asks of the API it asks once. */
export interface ObjectType {
  /** As the project file has it. */
  readonly name: string;
  /** As requests name it. Throws `not-found` naming the nearest. */
  path(attempt: Attempt): Promise<string>;
  fields(attempt: Attempt): Promise<readonly Field[]>;
  /** Can the property tell objects apart? Known without asking for ids and for contacts by `email`. */
  isUnique(property: string, attempt: Attempt): Promise<boolean>;
}

/** Known to be unique though the API doesn't say so. */
export const isKnownUnique = (type: string, property: string): boolean =>
  property === 'hs_object_id' || ((type === 'contacts' || type === '0-1') && property === 'email');

const types: Readonly<Record<string, Field['type']>> = {
  string: 'string',
  phone_number: 'string',
  number: 'number',
  date: 'date',
  datetime: 'datetime',
  bool: 'boolean',
  json: 'json',
};

function fieldOf({ name, type, options, ...property }: Property, typeName: string, needed: readonly string[]): Field {
  // Several options in one value, and options that are kept elsewhere (owners), can't be checked one by one.
  const isEnum = type === 'enumeration' && property.fieldType !== 'checkbox' && options.length > 0;
  return {
    name,
    type: isEnum ? 'enum' : (types[type] ?? 'string'),
    required: needed.includes(name),
    readOnly: property.modificationMetadata.readOnlyValue || property.calculated,
    unique: property.hasUniqueValue || isKnownUnique(typeName, name),
    ...(isEnum ? { options: options.map(({ value }) => value) } : {}),
    ...(type === 'string' ? { maxLength: 65_536 } : {}),
  };
}

type Schema = z.infer<typeof schemas>['results'][number];
const noRows: readonly OutgoingRow[] = [];

async function customObjects(account: Account, attempt: Attempt): Promise<readonly Schema[]> {
  const answer = await ask(account, { method: 'GET', path: '/crm/v3/schemas', repeatable: true }, noRows, attempt);
  return parse(account, schemas, answer).results;
}

/** Names of the objects that an account has: those of every account, and its own where the app may see them. */
export async function objectNames(account: Account, attempt: Attempt): Promise<readonly string[]> {
  const custom = (await customObjects(account, attempt).catch(forbidden)) ?? [];
  return [...standardObjects, ...custom.map(({ name }) => name)];
}

/** Nothing, where the app lacks the scope. */
function forbidden(error: unknown): undefined {
  if (!(error instanceof MillraceError) || error.code !== 'auth') throw error;
}

const isId = (name: string): boolean => /^\d+-\d+$/.test(name);

/** An object type by its name, or by its id (`2-3456`). */
export function objectType(account: Account, name: string): ObjectType {
  const isStandard = [...standardObjects, ...others].includes(name);
  const find = async (attempt: Attempt): Promise<Schema> => {
    const all = await customObjects(account, attempt);
    const wanted = name.toLowerCase();
    const found = all.find((one) => [one.name, one.objectTypeId, one.fullyQualifiedName].some((known) => known?.toLowerCase() === wanted));
    if (found !== undefined) return found;
    const nearest = closest(name, [...standardObjects, ...all.map((one) => one.name)]);
    throw new MillraceError('not-found', `connection ${account.name}: HubSpot has no object ${name}; the nearest name is ${nearest}`);
  };
  const custom = once(find);
  const path = async (attempt: Attempt): Promise<string> =>
    encodeURIComponent(isStandard || isId(name) ? name : (await custom(attempt)).objectTypeId);
  const needed = async (attempt: Attempt): Promise<readonly string[]> => {
    if (isStandard || name.startsWith('0-')) return required[name] ?? [];
    const found = await custom(attempt).catch(forbidden);
    return found?.requiredProperties ?? [];
  };
  const fields = once(async (attempt: Attempt) => {
    const must = await needed(attempt);
    const answer = await ask(
      account,
      { method: 'GET', path: `/crm/v3/properties/${await path(attempt)}`, repeatable: true },
      noRows,
      attempt,
    );
    return parse(account, properties, answer).results.map((property) => fieldOf(property, name, must));
  });
  return {
    name,
    path,
    fields,
    isUnique: async (property, attempt) =>
      isKnownUnique(name, property) || (await fields(attempt)).some((field) => field.name === property && field.unique),
  };
}

/** Asks once; a failure is forgotten, so that the next call asks again. */
function once<T>(question: (attempt: Attempt) => Promise<T>): (attempt: Attempt) => Promise<T> {
  let answer: Promise<T> | undefined;
  return async (attempt) => {
    answer ??= question(attempt);
    try {
      return await answer;
    } catch (error) {
      answer = undefined;
      throw error;
    }
  };
}
