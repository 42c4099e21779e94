import type { ConnectionDefinition } from './definition-parts.ts';
import type { DatasetSource, Mask } from './dataset.ts';
import type { Rate } from './project-api.ts';
import type { SignatureSettings } from './signature.ts';

/** What the client makes of `apis`, `gateway`, ingest connections and webhooks: every default filled in, secrets still references. */

export interface RoleDefinition {
  readonly fields: 'all' | readonly string[];
  /** As written, with `${claim:name}`. */
  readonly rows?: string;
  readonly mask: Readonly<Record<string, Mask>>;
}

export interface RelationDefinition {
  /** The API whose roles hold; undefined: the dataset is seen through this relation alone. */
  readonly api?: string;
  readonly source: DatasetSource;
  /** Own column to the other's. */
  readonly on: readonly (readonly [string, string])[];
  readonly fields: 'all' | readonly string[];
  readonly one: boolean;
}

export interface ApiDefinition {
  readonly name: string;
  readonly description?: string;
  /** Name of the connection. */
  readonly warehouse: string;
  readonly source: DatasetSource;
  /** As the project file names it: `marts.customers`, or a model's name. */
  readonly dataset: string;
  readonly key: readonly string[];
  readonly relations: Readonly<Record<string, RelationDefinition>>;
  readonly roles: Readonly<Record<string, RoleDefinition>>;
  readonly cache?: { readonly ttl: number; readonly until: 'load' | 'ttl' };
  /** Of one token; by role, `*` for all others. */
  readonly rates: Readonly<Record<string, Rate>>;
  readonly limit: { readonly default: number; readonly max: number };
}

/** A source of events, with the pipelines that read it. */
export interface IngestDefinition {
  readonly connection: ConnectionDefinition;
  readonly pipelines: readonly string[];
}

export interface WebhookDefinition {
  readonly name: string;
  readonly to: ConnectionDefinition;
  /** `schema.table`, or `schema.*`. */
  readonly datasets: readonly string[];
}

export interface TriggerDefinition {
  readonly name: string;
  /** Of the pipeline, model or sync. */
  readonly run: string;
  readonly verify?: SignatureSettings;
}

export interface GatewayDefinition {
  readonly project: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly role?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly behindProxy: boolean;
  readonly jwt?: {
    readonly issuer: string;
    readonly audience: string;
    readonly jwks: string;
    readonly algorithms: readonly string[];
    readonly roleClaim: string;
    readonly maxAge?: number;
    readonly allowPrivate: boolean;
  };
  readonly cors: readonly string[];
  /** A reference, as are all secrets here. */
  readonly redis?: string;
  readonly maskKey?: string;
  readonly rate: { readonly role: Rate; readonly all: Rate; readonly ingest: Rate };
  /** Milliseconds. */
  readonly timeout: number;
  readonly exportTimeout: number;
  readonly bodyBytes: number;
  readonly concurrency: number;
  readonly connections: number;
  readonly cacheBytes: number;
  readonly graphql: { readonly maxDepth: number; readonly maxCost: number; readonly graphiql: boolean };
  readonly audit: number;
  readonly apis: readonly ApiDefinition[];
  readonly ingests: readonly IngestDefinition[];
  readonly webhooks: readonly WebhookDefinition[];
  readonly triggers: readonly TriggerDefinition[];
  /** Warehouses by connection's name; the first has the gateway's books: tokens, audit log, changes. */
  readonly warehouses: readonly ConnectionDefinition[];
}
