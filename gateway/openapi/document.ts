import type { View } from '../view.ts';
import { answerSchemas, readPaths } from './reads.ts';
import { headers, problems, problemSchema } from './responses.ts';
import { reachable, rowName, rowSchema, type Schema } from './schemas.ts';

export interface DocumentOptions {
  readonly project: string;
  readonly version: string;
  /** What other parts of the gateway have that the caller may use. */
  readonly more?: readonly {
    readonly paths: Readonly<Record<string, Schema>>;
    readonly schemas?: Readonly<Record<string, Schema>>;
    /** Beside the token. */
    readonly securitySchemes?: Readonly<Record<string, Schema>>;
  }[];
}

/** An OpenAPI document. */
export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly paths: Readonly<Record<string, Schema>>;
  readonly components: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** The OpenAPI 3.1 document of what a role sees: every path, parameter and answer, and nothing that it can't ask for. */
export function openApiOf(views: readonly View[], { project, version, more = [] }: DocumentOptions): OpenApi {
  const rows = reachable(views).map((view): [string, Schema] => [rowName(view), rowSchema(view)]);
  const schemas = [
    ...rows,
    ...views.flatMap((view) => Object.entries(answerSchemas(view))),
    ...more.flatMap((part) => Object.entries(part.schemas ?? {})),
  ];
  return {
    openapi: '3.1.0',
    info: {
      title: project,
      version,
      description:
        'Datasets of the project. 64-bit integers and decimals are JSON text, so that they are exact everywhere. What a token sees depends on its role.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: views.map(({ name, description }) => ({ name, ...(description === undefined ? {} : { description }) })),
    paths: Object.assign({}, ...views.map(readPaths), ...more.map(({ paths }) => paths)) as OpenApi['paths'],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of `millrace token create`, or a JWT of the identity provider.' },
        ...Object.fromEntries(more.flatMap((part) => Object.entries(part.securitySchemes ?? {}))),
      },
      headers,
      responses: problems,
      schemas: { problem: problemSchema, ...Object.fromEntries(schemas) },
    },
  };
}
