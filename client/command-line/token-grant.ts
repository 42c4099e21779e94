import { claimsOf } from '../../gateway/view.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { ApiDefinition, GatewayDefinition } from '../../schema/gateway-definition.ts';
import { parseDuration } from '../../schema/quantity.ts';
import { suggestion } from '../project/finding.ts';

/** What a token is asked for. */
export interface Asked {
  readonly role?: string;
  readonly claim?: readonly { readonly left: string; readonly right: string }[];
  readonly scope?: readonly string[];
  readonly expires: string;
  readonly name?: string;
}

/** What a token allows. */
export interface Grant {
  readonly name: string;
  readonly role: string | undefined;
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, string | readonly string[]>>;
  readonly expiresAt: Date | undefined;
}

/** What of a project a token may be for. Throws `config` naming what isn't there, with the nearest name. */
export function grantOf(gateway: GatewayDefinition, asked: Asked, now: Date): Grant {
  const { role } = asked;
  if (role !== undefined) assertRole(gateway, role);
  const scopes = asked.scope ?? (role === undefined ? [] : ['api', 'changes']);
  if (scopes.length === 0) {
    throw new MillraceError(
      'config',
      'Give --role for a token that reads, or --scope for one that posts: ingest, ingest:<connection>, trigger:<name>, or metrics.',
    );
  }
  for (const scope of scopes) assertScope(gateway, scope, role);
  return {
    name: asked.name ?? role ?? scopes.join(' '),
    role,
    scopes,
    claims: askedClaims(asked.claim ?? []),
    expiresAt: expiryOf(asked.expires, now),
  };
}

function assertRole({ apis }: GatewayDefinition, role: string): void {
  const known = [...new Set(apis.flatMap(({ roles }) => Object.keys(roles)))];
  if (role === 'anonymous') throw new MillraceError('config', 'The role anonymous is for callers without a token: none is needed.');
  if (known.includes(role)) return;
  const there =
    known.length === 0
      ? ' It has no APIs.'
      : suggestion(
          role,
          known.filter((name) => name !== 'anonymous'),
        );
  throw new MillraceError('config', `No API of the project has a role "${role}".${there}`);
}

/** Scopes that name something, with the names there are; undefined: the scope is no such one. */
function namesOf({ apis, ingests, triggers }: GatewayDefinition, kind: string): readonly string[] | undefined {
  if (kind === 'api') return apis.map(({ name }) => name);
  if (kind === 'ingest') return ingests.map(({ connection }) => connection.name);
  return kind === 'trigger' ? triggers.map(({ name }) => name) : undefined;
}

/** A sender that signs needs no token, and none stands for its signature. */
function assertUnsigned({ ingests }: GatewayDefinition, scope: string): void {
  const meant = ingests.filter(({ connection: { name } }) => scope === 'ingest' || scope === `ingest:${name}`);
  const signed = meant.filter(({ connection: { settings } }) => settings['verify'] !== undefined).map(({ connection }) => connection.name);
  if (signed.length === 0 || signed.length < meant.length) return;
  throw new MillraceError(
    'config',
    `Events of ${signed.join(', ')} are taken with the signature of their sender alone ("verify"): no token is needed there, and none would do. Give the sender the address /ingest/${signed[0]} and the secret; to post with a token, take "verify" out, or add an ingest connection without it.`,
  );
}

function assertScope(gateway: GatewayDefinition, scope: string, role: string | undefined): void {
  const [kind = '', ...rest] = scope.split(':');
  const name = rest.join(':');
  if (!['api', 'changes', 'ingest', 'metrics'].includes(scope)) {
    const known = name === '' ? undefined : namesOf(gateway, kind);
    if (known === undefined) {
      throw new MillraceError(
        'config',
        `There is no scope "${scope}".${suggestion(scope, ['api', 'api:<name>', 'changes', 'ingest', 'ingest:<connection>', 'trigger:<name>', 'metrics'])}`,
      );
    }
    if (!known.includes(name)) {
      throw new MillraceError('config', `The scope "${scope}" names "${name}", which is not there.${suggestion(name, known)}`);
    }
  }
  assertUnsigned(gateway, scope);
  if (role === undefined && (kind === 'api' || kind === 'changes')) {
    throw new MillraceError('config', `The scope "${scope}" reads, and what is seen goes by the role: give --role.`);
  }
}

/** A claim that is given more than once is a list. */
function askedClaims(given: NonNullable<Asked['claim']>): Grant['claims'] {
  const claims: Record<string, readonly string[]> = {};
  for (const { left, right } of given) claims[left] = [...(claims[left] ?? []), right];
  return Object.fromEntries(Object.entries(claims).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]));
}

function expiryOf(text: string, now: Date): Date | undefined {
  if (text === 'never') return undefined;
  const duration = parseDuration(text);
  if (duration === undefined)
    throw new MillraceError('config', `--expires is ${text}: it must be a duration such as 90d or 12h, or never.`);
  return new Date(now.getTime() + duration);
}

/** Claims that rows of APIs go by and the token doesn't have, with those APIs. */
export function missingClaims(apis: readonly ApiDefinition[], { role, claims }: Grant): ReadonlyMap<string, readonly string[]> {
  const missing = new Map<string, readonly string[]>();
  for (const { name, roles } of apis) {
    const granted = role !== undefined && Object.hasOwn(roles, role) ? roles[role] : undefined;
    for (const claim of new Set(claimsOf(granted?.rows ?? ''))) {
      if (!Object.hasOwn(claims, claim)) missing.set(claim, [...(missing.get(claim) ?? []), name]);
    }
  }
  return missing;
}
