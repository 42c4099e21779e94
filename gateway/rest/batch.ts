import { z } from 'zod';
import type { DatasetRequest } from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { badRequest, type Detail } from '../problem.ts';
import { wrongValue } from '../values.ts';
import type { View } from '../view.ts';
import { bounds } from './filters.ts';
import type { Parameter } from './parameters.ts';
import { getQuestion } from './question.ts';

const part = z.union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number or a boolean' });
const body = z.strictObject({
  keys: z
    .array(z.union([part, z.array(part)], { error: 'must be a key: text or a number, or a list of these for a key of several columns' }))
    .max(bounds.keys, `may have at most ${bounds.keys} keys`),
  fields: z.array(z.string()).min(1, 'must have one column at least').max(bounds.fields).optional(),
  include: z.array(z.string()).max(bounds.relations).optional(),
});

/** The rows of the keys in a body, under `data`, in the order of the keys. Throws 400 with all that is wrong. */
export function batchQuestion(
  view: View,
  caller: Caller,
  given: unknown,
  parameters: readonly Parameter[],
): { readonly request: DatasetRequest; readonly views: readonly View[] } {
  const parsed = body.safeParse(given ?? undefined);
  if (!parsed.success) throw badRequest(parsed.error.issues.map(issueDetail));
  const { keys: written, fields, include } = parsed.data;
  const errors: Detail[] = [];
  const keys = written.map((key, index) => keyOf(view, key, index, errors));
  const named = { ...(fields === undefined ? {} : { fields }), ...(include === undefined ? {} : { include }) };
  const more = Object.entries(named)
    .filter(([, items]) => items.length > 0)
    .map(([name, items]) => ({ name, value: items.map(escaped).join(',') }));
  if (errors.length > 0) throw badRequest(errors.slice(0, 50));
  const { read, views } = getQuestion(view, caller, [...more, ...parameters]);
  const request = { ...read, limit: Math.max(1, keys.length), shape: { kind: 'keyed', columns: view.key, keys } as const };
  return { request: { kind: 'object', members: [{ kind: 'member', as: 'data', request }] }, views };
}

const escaped = (item: string): string => item.replaceAll('\\', '\\\\').replaceAll(',', '\\,');

const wanted: Readonly<Record<string, string>> = {
  '': 'must be JSON such as {"keys": ["42", "43"]}',
  keys: 'must be a list of keys, as in {"keys": ["42", "43"]}',
  fields: 'must be a list of columns',
  include: 'must be a list of relations',
};

function issueDetail({ path, message, code }: z.core.$ZodIssue): Detail {
  const at = `/${path.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
  if (code === 'unrecognized_keys') return { at, message: 'has members that are unknown here; it takes keys, fields and include' };
  return {
    at: at === '/' ? 'body' : at,
    message: message.startsWith('Invalid input') ? (wanted[path.join('/')] ?? 'must be text') : message,
  };
}

type Part = z.infer<typeof part>;

function keyOf(view: View, key: Part | readonly Part[], index: number, errors: Detail[]): readonly string[] {
  const parts = Array.isArray(key) ? key : [key];
  if (parts.length !== view.key.length) errors.push({ at: `/keys/${index}`, message: `must be a list of ${view.key.join(', ')}` });
  return view.key.map((name, place) => {
    const value = textOf(parts[place]);
    const column = view.columns.get(name)?.column;
    const wrong = value === undefined ? 'must be written as text: the number is too large' : column && wrongValue(column, value);
    if (wrong !== undefined && parts.length === view.key.length)
      errors.push({ at: `/keys/${index}${Array.isArray(key) ? `/${place}` : ''}`, message: wrong });
    return value ?? '';
  });
}

/** A number that JSON's reader may have rounded has no text. */
function textOf(value: Part | undefined): string | undefined {
  if (typeof value !== 'number') return String(value ?? '');
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
