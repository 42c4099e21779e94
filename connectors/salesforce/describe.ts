import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Field, ObjectDescription } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { ask, parsed, type Org } from './org.ts';

/** https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm#field */
const field = z.looseObject({
  name: z.string(),
  type: z.string(),
  length: z.number().catch(0),
  createable: z.boolean().catch(false),
  updateable: z.boolean().catch(false),
  nillable: z.boolean().catch(true),
  defaultedOnCreate: z.boolean().catch(false),
  externalId: z.boolean().catch(false),
  idLookup: z.boolean().catch(false),
  unique: z.boolean().catch(false),
  caseSensitive: z.boolean().catch(false),
  restrictedPicklist: z.boolean().catch(false),
  picklistValues: z.array(z.looseObject({ value: z.string(), active: z.boolean().catch(true) })).catch([]),
  relationshipName: z.string().nullable().catch(null),
  referenceTo: z.array(z.string()).catch([]),
});
const description = z.looseObject({ fields: z.array(field) });
const list = z.looseObject({ sobjects: z.array(z.looseObject({ name: z.string(), createable: z.boolean().catch(false) })) });

/** A field as Salesforce describes it. */
export type SalesforceField = z.infer<typeof field>;

/** The fields of an object, by name. */
export type SalesforceFields = ReadonlyMap<string, SalesforceField>;

/** Names of the objects that can be created. */
export async function listObjects(org: Org, attempt: Attempt): Promise<readonly string[]> {
  const answer = await ask(org, { method: 'GET', path: 'sobjects', repeatable: true }, attempt);
  const { sobjects } = parsed(org, list, answer);
  return sobjects.filter(({ createable }) => createable).map(({ name }) => name);
}

/** The fields of an object. Throws `not-found` naming the nearest. */
async function readFields(org: Org, object: string, attempt: Attempt): Promise<SalesforceFields> {
  const path = `sobjects/${encodeURIComponent(object)}/describe`;
  const answer = await ask(org, { method: 'GET', path, repeatable: true }, attempt).catch(async (error: unknown) => {
    throw error instanceof MillraceError && error.code === 'not-found' ? await notFound(org, object, attempt) : error;
  });
  return new Map(parsed(org, description, answer).fields.map((one) => [one.name, one]));
}

/** Reads the fields of the org's object once for all callers. */
export function rememberFields(org: Org): (attempt: Attempt) => Promise<SalesforceFields> {
  let reading: Promise<SalesforceFields> | undefined;
  return async (attempt) => {
    reading ??= readFields(org, org.object, attempt);
    try {
      return await reading;
    } catch (error) {
      reading = undefined;
      throw error;
    }
  };
}

async function notFound(org: Org, object: string, attempt: Attempt): Promise<MillraceError> {
  const names = await listObjects(org, attempt);
  const hint = names.length === 0 ? 'the user sees no objects' : `the nearest name is ${closest(object, [...names])}`;
  return new MillraceError('not-found', `connection ${org.name}: ${object} is no object that the user of the connection sees; ${hint}`);
}

const types: Readonly<Record<string, Field['type']>> = {
  anyType: 'any',
  boolean: 'boolean',
  int: 'integer',
  long: 'integer',
  double: 'number',
  currency: 'number',
  percent: 'number',
  date: 'date',
  datetime: 'datetime',
  address: 'json',
  location: 'json',
};

/** True of types whose values travel as numbers. */
export const isNumeric = ({ type }: SalesforceField): boolean => types[type] === 'number' || types[type] === 'integer';

function rulesOf({
  createable,
  updateable,
  nillable,
  defaultedOnCreate,
  ...one
}: SalesforceField): Pick<Field, 'required' | 'readOnly' | 'unique'> {
  return {
    required: createable && !nillable && !defaultedOnCreate,
    readOnly: !createable && !updateable,
    unique: one.unique || one.externalId || one.idLookup,
  };
}

function fieldOf(one: SalesforceField): Field {
  const isEnum = one.type === 'picklist' && one.restrictedPicklist;
  const options = one.picklistValues.filter(({ active }) => active).map(({ value }) => value);
  return {
    name: one.name,
    type: isEnum ? 'enum' : (types[one.type] ?? 'string'),
    ...rulesOf(one),
    ...(isEnum ? { options } : {}),
    ...(one.length > 0 ? { maxLength: one.length } : {}),
  };
}

/**
 * What can be written. `Account.External__c` sets a reference by a field that identifies the other object: such fields are given for the
 * references that `wanted` names.
 */
export async function describeObject(org: Org, wanted: readonly string[], attempt: Attempt): Promise<ObjectDescription> {
  const fields = await readFields(org, org.object, attempt);
  const relations = new Set(wanted.filter((name) => name.includes('.')).map((name) => name.slice(0, name.indexOf('.'))));
  const references: Field[] = [];
  for (const { relationshipName, referenceTo, createable, updateable } of fields.values()) {
    const [target] = referenceTo;
    if (relationshipName === null || target === undefined || !relations.has(relationshipName)) continue;
    for (const one of (await readFields(org, target, attempt)).values()) {
      if (!one.externalId && !one.idLookup) continue;
      const named = { ...fieldOf(one), name: `${relationshipName}.${one.name}` };
      references.push({ ...named, required: false, readOnly: !createable && !updateable, unique: false });
    }
  }
  return { fields: [...[...fields.values()].map(fieldOf), ...references], closed: true };
}
