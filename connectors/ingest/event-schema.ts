import { readFile, stat } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { Column } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import { eventColumns } from './event-columns.ts';

/** The schema of a connection's events as its file has it now. */
export interface EventSchema {
  readonly columns: readonly Column[];
  /** The JSON Schema itself. */
  readonly document: object;
  /** Whether an event is as the schema says; what is wrong is in its `errors`. */
  readonly validate: ValidateFunction;
}

async function readSchema(path: string, place: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const why = isMissing
      ? 'there is no such file: put it there, or correct "schema" of the connection'
      : `the file can't be read: let this user read it (${cause instanceof Error ? cause.message : String(cause)})`;
    throw new MillraceError('config', `${place}: ${why}`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MillraceError('config', `${place}: the schema is not valid JSON`, { cause });
  }
}

/** Throws `config` where the file isn't a JSON Schema whose properties can be columns. */
export async function readEventSchema(path: string, key: string | undefined): Promise<EventSchema> {
  const place = `schema ${path}`;
  const schema = await readSchema(path, place);
  const columns = eventColumns(schema, key, place);
  // The first error ends it: all that strangers can get wrong would take time and memory.
  const ajv = new Ajv2020({ strict: false, logger: false });
  formats.default(ajv);
  try {
    const document = schema as object;
    return { columns, document, validate: ajv.compile(document) };
  } catch (cause) {
    throw new MillraceError('config', `${place}: ${cause instanceof Error ? cause.message : 'it is not a JSON Schema'}`, { cause });
  }
}

/** Milliseconds between two looks at the file. */
const lookEvery = 1000;

/** Gives the schema, compiled once; a changed file is read again. While a changed one is wrong, the one before holds. */
export function followEventSchema(path: string, key: string | undefined, onBroken: (error: unknown) => void): () => Promise<EventSchema> {
  let known: { readonly schema: EventSchema; readonly version: string } | undefined;
  let lookedAt = -Infinity;
  let refused = '';
  const look = async (): Promise<EventSchema> => {
    const version = await stat(path).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs}/${size}/${ino}`,
      () => 'missing',
    );
    if (known !== undefined && (version === known.version || version === refused)) return known.schema;
    try {
      known = { schema: await readEventSchema(path, key), version };
    } catch (error) {
      if (known === undefined) throw error;
      refused = version;
      onBroken(error);
    }
    return known.schema;
  };
  return async () => {
    if (known !== undefined && Date.now() - lookedAt < lookEvery) return known.schema;
    lookedAt = Date.now();
    return await look();
  };
}
