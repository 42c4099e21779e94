import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type CompactVerifyGetKey, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { openExchange } from '../../connectors/http/exchange.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { GatewayLog } from '../context.ts';

/** Milliseconds: after `stale` keys are read again while the old ones go on; after `dead` those aren't believed any more. */
const times = { stale: 10 * 60_000, dead: 24 * 3_600_000, cooldown: 30_000, request: 5_000 } as const;

const jwks = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

type KeyOf = ReturnType<typeof createLocalJWKSet>;
type KeyArguments = Parameters<CompactVerifyGetKey>;

/** The issuer's keys can't be had: nobody can tell whether a token is good. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** The issuer's public keys, read from the one place that the project file names; what a token's header says of places is not followed. */
export class IssuerKeys implements Disposable {
  readonly #read: () => Promise<string>;
  readonly #close: () => void;
  readonly #log: GatewayLog;
  #keys: KeyOf | undefined;
  #readAt = -Infinity;
  #triedAt = -Infinity;
  #reading: Promise<void> | undefined;

  /** Throws `config` for an address that is neither https nor, where that is allowed, private. */
  constructor({ jwks: place, allowPrivate }: NonNullable<GatewayDefinition['jwt']>, log: GatewayLog) {
    this.#log = log;
    if (/^https?:/i.test(place)) {
      const [read, close] = byHttp(place, allowPrivate);
      this.#read = read;
      this.#close = close;
    } else {
      this.#read = async () => await readFile(place, 'utf8');
      this.#close = () => undefined;
    }
  }

  /** The key that a token's header names. Throws `KeysUnavailable`, or an error of jose when there is none in the set. */
  async keyOf(...token: KeyArguments): Promise<Awaited<ReturnType<KeyOf>>> {
    const keys = await this.#current();
    try {
      return await keys(...token);
    } catch (error) {
      // A key that is new at the issuer. Anybody can make up names of keys, so they lead to a request now and then only.
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#age(this.#triedAt) < times.cooldown) throw error;
      await this.#refresh();
      return await (
        await this.#current()
      )(...token);
    }
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  async #current(): Promise<KeyOf> {
    const age = this.#age(this.#readAt);
    if (this.#keys === undefined || age > times.dead) {
      if (this.#age(this.#triedAt) > 1_000 || this.#reading !== undefined) await this.#refresh();
      if (this.#keys === undefined || this.#age(this.#readAt) > times.dead) throw new KeysUnavailable();
    } else if (age > times.stale && this.#age(this.#triedAt) > times.cooldown) {
      void this.#refresh();
    }
    return this.#keys;
  }

  readonly #age = (since: number): number => performance.now() - since;

  /** Reads the keys, once for all who want them; those there were stay when that fails. */
  async #refresh(): Promise<void> {
    this.#reading ??= this.#load().finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #load(): Promise<void> {
    this.#triedAt = performance.now();
    try {
      const set = jwks.parse(JSON.parse(await this.#read()));
      this.#keys = createLocalJWKSet(set satisfies JSONWebKeySet);
      this.#readAt = performance.now();
    } catch (error) {
      const why = error instanceof MillraceError ? error.message : 'there is no key set in JSON (gateway.jwt.jwks)';
      this.#log.error({ error: why }, "the issuer's keys can not be read");
    }
  }
}

function byHttp(place: string, allowPrivate: boolean): readonly [() => Promise<string>, () => void] {
  const name = 'gateway.jwt';
  if (!allowPrivate && !/^https:/i.test(place)) {
    throw new MillraceError(
      'config',
      'gateway.jwt.jwks: must begin with https://, for whoever can change the keys on their way can make tokens',
    );
  }
  const exchange = openExchange({ name, allowPrivate, maxBytes: 1024 * 1024 });
  const read = async (): Promise<string> => {
    const request = { method: 'GET', url: place, headers: { accept: 'application/json' }, body: undefined };
    const attempt = { what: `${name}: GET of jwks`, signal: new AbortController().signal, timeout: times.request };
    const { status, body } = await exchange.send(request, attempt);
    if (status === 200) return body;
    throw new MillraceError('unavailable', `${name}: GET of jwks was answered with ${status}`);
  };
  return [read, () => exchange[Symbol.dispose]()];
}
