import { closest } from 'fastest-levenshtein';
import { MillraceError } from '../../schema/errors.ts';
import type { ApplicationRequest } from '../application.ts';
import type { ObjectDeclaration, Template } from './declaration.ts';
import type { ObjectScope } from './scope.ts';

/** The declared object that a sync writes to. */
export interface FoundObject {
  readonly declared: ObjectDeclaration;
  readonly scope: ObjectScope;
}

/** Parts of a declared name in braces: `lists/{list}/members`. */
const partPattern = /\{([a-z_]+)\}/g;

function partsOf(pattern: string, object: string): Readonly<Record<string, string>> | undefined {
  const names = [...pattern.matchAll(partPattern)].map(([, name]) => name ?? '');
  const literal = pattern.split(partPattern).filter((_, no) => no % 2 === 0);
  const expression = literal.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('([^/]+)');
  const values = new RegExp(`^${expression}$`).exec(object)?.slice(1);
  return values === undefined ? undefined : Object.fromEntries(names.map((name, no) => [name, values[no] ?? '']));
}

/** The object of a name; undefined when the template has none such. */
export function findObject(template: Template, { object, write, match }: ApplicationRequest, where: string): FoundObject | undefined {
  for (const [pattern, declared] of Object.entries(template.objects)) {
    const parts = partsOf(pattern, object);
    if (parts !== undefined)
      return { declared, scope: { object: parts, write: optionsOf(declared, write, where), matchName: match[0] ?? '' } };
  }
  return undefined;
}

/** For a name that is no object's. */
export function noObject(template: Template, object: string, name: string): MillraceError {
  const known = Object.keys(template.objects);
  const nearest = closest(object, known);
  return new MillraceError(
    'not-found',
    `connection ${name}: ${template.system} has no object ${object}; the nearest of ${known.join(', ')} is ${nearest}`,
  );
}

function optionsOf(declared: ObjectDeclaration, write: ApplicationRequest['write'], where: string): Readonly<Record<string, string>> {
  const known = declared.options ?? {};
  const wrong = Object.keys(write).find((name) => !Object.hasOwn(known, name));
  if (wrong !== undefined) {
    const names = Object.keys(known);
    throw new MillraceError(
      'config',
      `${where}: write.${wrong} is not an option; ${names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`}`,
    );
  }
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, option]) => {
      const value = write[name] ?? option.default;
      if (value === undefined) return [];
      if (typeof value !== 'string' || option.values?.includes(value) === false) {
        throw new MillraceError('config', `${where}: write.${name} must be ${option.values?.join(' or ') ?? 'a text'}`);
      }
      return [[name, value]];
    }),
  );
}
