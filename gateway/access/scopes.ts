import type { Access, Caller } from '../caller.ts';
import { Problem } from '../problem.ts';

const form = /^((api|changes|ingest|trigger)(:[A-Za-z][A-Za-z0-9_.-]{0,62})?|metrics)$/;

/** Whether a text is a scope that some route asks for. */
export const isScope = (text: string): boolean => form.test(text) && !text.startsWith('changes:') && text !== 'trigger';

/** What a route asks for; undefined: nothing. `name` is the parameter of its path. */
export function scopeOf(access: Access, name: string | undefined): string | undefined {
  switch (access.kind) {
    case 'public':
    case 'page':
      return undefined;
    case 'changes':
    case 'metrics':
      return access.kind;
    case 'api':
    case 'ingest':
    case 'trigger':
      return name === undefined ? access.kind : `${access.kind}:${name}`;
  }
}

/** `api` is met by `api`; `api:customers` by itself and by `api`; a trigger only by its own name. */
export function hasScope({ scopes }: Pick<Caller, 'scopes'>, scope: string): boolean {
  if (scopes.includes(scope)) return true;
  const colon = scope.indexOf(':');
  return colon > 0 && !scope.startsWith('trigger:') && scopes.includes(scope.slice(0, colon));
}

/** True where the caller may call some API: routes for all of them ask for no name, and their handlers ask for each. */
export const hasSomeApi = ({ scopes }: Pick<Caller, 'scopes'>): boolean =>
  scopes.some((scope) => scope === 'api' || (scope.startsWith('api:') && isScope(scope)));

export function scopeMissing(asked: string): Problem {
  // A name out of a path can be anything.
  const scope = isScope(asked) || asked === 'trigger' ? asked : asked.replace(/:[^]*$/, '');
  return new Problem(403, 'Scope missing', `The token lacks the scope "${scope}".`, {
    headers: { 'www-authenticate': `Bearer realm="millrace", error="insufficient_scope", scope="${scope}"` },
  });
}

/** Throws 403 naming the scope that is missing. */
export function requireScope(caller: Pick<Caller, 'scopes'>, scope: string): void {
  if (!hasScope(caller, scope)) throw scopeMissing(scope);
}
