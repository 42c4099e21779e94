import { readFile } from 'node:fs/promises';
import { isSecretSetting } from '../client/project/references.ts';
import type { ConnectionDefinition } from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';

export interface SecretsPlace {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Name of the machine, for messages. */
  readonly host: string;
  /** What looks them up; the worker, where it isn't said. */
  readonly process?: string;
}

export interface ResolvedSettings {
  readonly settings: Readonly<Record<string, unknown>>;
  /** What the references stood for, and the passwords in it: texts that no message may hold. Addresses of hosts are none. */
  readonly secrets: readonly string[];
}

type Connection = Pick<ConnectionDefinition, 'name' | 'settings'>;

const reference = /\$\{(env|file):([^}]*)\}/g;
const leastSecret = 4;

/**
 * Puts values in place of `${env:NAME}`, `${env:NAME:-default}` and `${file:path}`. An empty variable counts as missing.
 * Throws `auth` naming what is missing, the connection and the host.
 */
export async function resolveSettings({ name, settings }: Connection, place: SecretsPlace): Promise<ResolvedSettings> {
  return await resolveOf(`Connection ${name}`, settings, place);
}

/** The same for settings of something else than a connection, which is called `what`. */
export async function resolveOf(what: string, settings: Connection['settings'], place: SecretsPlace): Promise<ResolvedSettings> {
  const secrets = new Set<string>();
  const entries = Object.entries(settings).map(async ([key, value]) => [
    key,
    await resolveValue(value, { what, key, setting: key, place, secrets }),
  ]);
  return { settings: Object.fromEntries(await Promise.all(entries)), secrets: [...secrets] };
}

interface Resolving {
  readonly what: string;
  readonly key: string;
  /** Name of the innermost setting: `token_url` of the key `auth`. */
  readonly setting: string;
  readonly place: SecretsPlace;
  readonly secrets: Set<string>;
}

async function resolveValue(value: unknown, resolving: Resolving): Promise<unknown> {
  if (typeof value === 'string') return resolveText(value, resolving);
  if (Array.isArray(value)) return Promise.all(value.map((item) => resolveValue(item, resolving)));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(async ([key, item]) => [key, await resolveValue(item, { ...resolving, setting: key })]);
  return Object.fromEntries(await Promise.all(entries));
}

async function resolveText(text: string, resolving: Resolving): Promise<string> {
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(reference)) {
    const [whole, kind, inside = ''] = match;
    const { value, isSecret } = kind === 'env' ? variable(inside, resolving) : await contents(inside, resolving);
    if (isSecret && !isHost(text, match.index, value)) remember(value, resolving);
    pieces.push(text.slice(end, match.index), inUrl(text, match.index) ? encodeURIComponent(value) : value);
    end = match.index + whole.length;
  }
  const resolved = pieces.join('') + text.slice(end);
  if (end > 0) for (const password of passwordsOf(resolved)) remember(password, resolving);
  return resolved;
}

interface Referenced {
  readonly value: string;
  /** False for a default, which stands in the project file. */
  readonly isSecret: boolean;
}

function variable(inside: string, resolving: Resolving): Referenced {
  const { what, key, place } = resolving;
  const { process = 'worker' } = place;
  const [, variableName = inside, , fallback] = /^(\w+)(:-(.*))?$/s.exec(inside) ?? [];
  const value = place.environment[variableName];
  if (value !== undefined && value !== '') return { value, isSecret: true };
  if (fallback !== undefined) return { value: fallback, isSecret: false };
  throw new MillraceError(
    'auth',
    `${what}: ${key} needs the variable ${variableName}, which is not set in the ${process} on ${place.host}. ` +
      `Set it there, or in the .env beside the project file, and start the ${process} again.`,
  );
}

async function contents(path: string, resolving: Resolving): Promise<Referenced> {
  const { what, key, place } = resolving;
  try {
    return { value: (await readFile(path, 'utf8')).replace(/\r?\n$/, ''), isSecret: true };
  } catch (cause) {
    throw new MillraceError(
      'auth',
      `${what}: ${key} needs the file ${path}, which the ${place.process ?? 'worker'} on ${place.host} cannot read.`,
      {
        cause,
      },
    );
  }
}

/** The scheme and host of a URL; undefined for other texts, and where there may be a user and password. */
const hostOf = (text: string): string | undefined => (text.includes('@') ? undefined : /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#]+/i.exec(text)?.[0]);

/** A host is no secret, but for a setting that takes a secret; what follows it may be one, as that of a webhook is. */
function remember(value: string, { key, setting, secrets }: Resolving): void {
  const isSecret = isSecretSetting([key, setting]);
  for (const form of URL.canParse(value) ? [value, new URL(value).href] : [value]) {
    const host = hostOf(form);
    const kept = host === undefined || isSecret ? form : form.replace(/\/$/, '');
    if (kept.length >= leastSecret && (isSecret || kept !== host)) secrets.add(kept);
    if (isSecret && host !== undefined) secrets.add(host);
  }
}

/** Whether the value of a reference is a URL's host, or a part of it: `https://${env:ACCOUNT}.example.com`. */
function isHost(text: string, position: number, value: string): boolean {
  const before = text.slice(0, position).replace(reference, 'x');
  return /^https?:\/\/[^/?#@]*$/i.test(before) && !text.slice(position).includes('@') && /^[\w.:-]+$/.test(value);
}

/** Whether a position in a URL is of its user, password or parameters, where letters such as @ and / must be escaped. */
function inUrl(text: string, position: number): boolean {
  const start = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0].length;
  if (start === undefined || position < start) return false;
  const masked = text.replace(reference, (whole) => 'x'.repeat(whole.length));
  return position < masked.indexOf('@', start) || (masked.includes('?') && position > masked.indexOf('?'));
}

function passwordsOf(text: string): readonly string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:/?#@]*:([^/?#]*)@/i.exec(text)?.[1];
  return password === undefined ? [] : [password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What is shown in a secret's place. */
function shown(secret: string): string {
  const host = hostOf(secret);
  return host === undefined || host === secret ? '***' : `${host}/***`;
}

/** Most lines of a log have none of these, and are looked through once. */
const mayHoldSecrets = /:\/\/|authorization|bearer|basic|password/i;

/**
 * Takes secrets out of texts: the values given, of URLs only what follows the host, the user and password of any URL, and what an
 * Authorization header holds.
 */
export function createScrubber(values: Iterable<string>): (text: string) => string {
  const longestFirst = [...new Set(values)].filter((value) => value.length >= leastSecret).toSorted((a, b) => b.length - a.length);
  return (text) => {
    const rest = longestFirst.reduce((before, value) => before.replaceAll(value, () => shown(value)), text);
    if (!mayHoldSecrets.test(rest)) return rest;
    return rest
      .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]+(?:@[^\s/?#@]+)*@/gi, '$1***@')
      .replace(/(authorization["']?\s*[:=]\s*["']?)(?:(?:bearer|basic|token)\s+)?[^\s"',;]+/gi, '$1***')
      .replace(/\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}/gi, '$1***')
      .replace(/\b(password\s*=\s*)[^\s&"',;]+/gi, '$1***');
  };
}
