import { setMaxListeners } from 'node:events';
import type { ApplicationContext } from '../application.ts';
import { MillraceError } from '../../schema/errors.ts';
import { accepted, parseDuration } from '../../schema/quantity.ts';
import { credentialName, limitedBy, openAuthorizer } from './authorizer.ts';
import { Call, type CallContext } from './call.ts';
import type { HttpAnswer, HttpClient } from './client.ts';
import { systemClock, type Clock } from './clock.ts';
import type { Egress } from './egress.ts';
import { openExchange, type Exchange } from './exchange.ts';
import { Limiter } from './limiter.ts';
import { memoryStores } from './memory-stores.ts';
import { shown } from './outgoing.ts';
import { defaultRequestTimeout, limitsOf, type AuthSettings, type HttpSettings } from './settings.ts';
import type { Limits, LimitStore, Transport } from './stores.ts';

export interface HttpClientOptions {
  /** The connection's name, for messages. */
  readonly name: string;
  /** Requests with a path go below it. Only its origin gets credentials. */
  readonly baseUrl: string;
  /** Of the connection's settings those of `httpParts`, and `auth`; a vendor with settings of its own puts an `auth` together. */
  readonly settings: HttpSettings;
  readonly context: ApplicationContext;
  /** What the vendor allows, where the settings don't say. */
  readonly limits?: Limits;
  /** Headers of every request to the base URL's origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The same for headers that hold credentials, in place of or besides `settings.auth`. */
  readonly authHeaders?: Readonly<Record<string, string>>;
  /** Other headers that hold secrets; with those of `authHeaders` they are kept from other hosts and out of what is shown. */
  readonly secretHeaders?: readonly string[];
  /** Headers in which the vendor names a request, by preference; lower case. `x-request-id` and its like are known. */
  readonly requestIdHeaders?: readonly string[];
  /** The vendor's own forms of asking to wait (403 with a code): milliseconds, undefined when an answer isn't one. 429 and its headers are known. */
  readonly throttled?: (answer: HttpAnswer) => number | undefined;
  /** Answers of 5xx of which the vendor promises that nothing was done. */
  readonly noEffect?: (answer: HttpAnswer) => boolean;
}

/** What tests put in place of time and name resolution. */
export interface HttpClientParts {
  readonly clock?: Clock;
  readonly egress?: Pick<Egress, 'lookup' | 'isPublic'>;
}

/** Longest that a request waits for leave inside. */
const longestPatience = 15_000;

function originOf({ name, baseUrl }: HttpClientOptions): string {
  if (URL.canParse(baseUrl)) return new URL(baseUrl).origin;
  throw new MillraceError('config', `connection ${name}: its url is not one (https://…)`);
}

/** Enough to see a sliding time of a few seconds go by. */
function patienceOf({ rate }: Limits): number {
  return Math.min(longestPatience, Math.max(5_000, (rate?.per ?? 0) * 1.1));
}

/** In place of the network, and of leave and tokens: requests as they may be shown. */
function showing(transport: Transport, { settings, authHeaders, secretHeaders = [] }: HttpClientOptions): Exchange {
  const { auth } = settings;
  const key = auth?.type === 'api-key' ? auth : undefined;
  const query = key?.query === undefined ? {} : { [key.query]: '' };
  const headers = key?.header === undefined ? {} : { [key.header.toLowerCase()]: '' };
  const names = [...secretHeaders, ...Object.keys(authHeaders ?? {})];
  return {
    send: async (request) => await transport(shown(request, { headers, query }, names)),
    [Symbol.dispose]: () => undefined,
  };
}

/** Tokens aren't fetched where nothing is sent. */
function shownAuth(auth: AuthSettings | undefined): AuthSettings | undefined {
  return auth?.type === 'oauth2' || auth?.type === 'jwt-bearer' ? { type: 'bearer', token: '[secret]' } : auth;
}

/** The limiter of a client; where nothing is sent nothing is limited. */
function limiterOf(options: HttpClientOptions, store: LimitStore, limits: Limits, timeout: number, clock: Clock): Limiter {
  const { name, settings, authHeaders = {}, context } = options;
  const credential = credentialName([originOf(options), ...limitedBy(settings.auth), ...Object.values(authHeaders)]);
  return new Limiter({ name, store, credential, limits: context.transport === undefined ? limits : {}, lease: timeout + 10_000, clock });
}

/** What the vendor's part says, with what it leaves out. */
function vendorOf(
  options: HttpClientOptions,
): Pick<CallContext, 'headers' | 'secretHeaders' | 'requestIdHeaders' | 'throttled' | 'noEffect'> {
  const { headers, authHeaders = {}, secretHeaders = [], requestIdHeaders = [] } = options;
  return {
    headers: { ...headers, ...authHeaders },
    secretHeaders: [...secretHeaders, ...Object.keys(authHeaders)],
    requestIdHeaders,
    throttled: options.throttled ?? (() => undefined),
    noEffect: options.noEffect ?? (() => false),
  };
}

/** The client of a connection, open for one step. */
export function createHttpClient(options: HttpClientOptions, { clock = systemClock, egress }: HttpClientParts = {}): HttpClient {
  const { name, baseUrl, settings, context } = options;
  const { transport } = context;
  const origin = originOf(options);
  const timeout = accepted(parseDuration, settings.request_timeout ?? defaultRequestTimeout);
  const limits = limitsOf(settings, options.limits);
  const patience = patienceOf(limits);
  const stores = transport === undefined ? context : memoryStores(clock);
  const auth = transport === undefined ? settings.auth : shownAuth(settings.auth);
  const network = openExchange({ name, allowPrivate: settings.allow_private ?? false, ...egress });
  const exchange = transport === undefined ? network : showing(transport, options);
  const limiter = limiterOf(options, stores.limits, limits, timeout, clock);
  const authorizer = openAuthorizer(auth, { name, exchange: network, timeout, clock }, stores.tokens);
  const all: CallContext = { ...vendorOf(options), name, baseUrl, origin, timeout, patience, exchange, limiter, authorizer, clock };
  return {
    requestTimeout: patience + timeout,
    limits,
    async request(request, attempt) {
      // Each request under way listens to the one signal of the step.
      setMaxListeners(0, attempt.signal);
      return await new Call(all, request, attempt).run();
    },
    async [Symbol.asyncDispose]() {
      await limiter[Symbol.asyncDispose]();
      network[Symbol.dispose]();
    },
  };
}
