import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { claimsOf } from '../view.ts';

/** Names of the roles that some API has. */
export const rolesOf = (definition: Pick<GatewayDefinition, 'apis'>): ReadonlySet<string> =>
  new Set(definition.apis.flatMap(({ roles }) => Object.keys(roles)));

/** JSON with sorted keys: equal for equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

type IdentityOf = (role: string | undefined, claims: Readonly<Record<string, unknown>>) => string;

/** Makes `Caller.identity`: the role, and those claims that rules of the role use in some API. */
export function identities(definition: Pick<GatewayDefinition, 'apis'>): IdentityOf {
  const used = new Map([...rolesOf(definition)].map((role) => [role, claimsOfRole(definition, role)]));
  return (role, claims) => {
    const names = role === undefined ? [] : (used.get(role) ?? []);
    const own = names.map((name) => (Object.hasOwn(claims, name) ? [name, claims[name]] : [name]));
    return canonical([role ?? null, ...own]);
  };
}

function claimsOfRole({ apis }: Pick<GatewayDefinition, 'apis'>, role: string): readonly string[] {
  const rules = apis.flatMap(({ roles }) => (Object.hasOwn(roles, role) ? [roles[role]?.rows ?? ''] : []));
  return [...new Set(rules.flatMap(claimsOf))].sort();
}
