import { resolve } from 'node:path';
import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Application, ApplicationContext, ApplicationRequest, Batch, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { plainField } from '../plain-field.ts';
import { checkWritable, removeLeftovers, replaceFile, targetOf } from './application-folder.ts';
import { csvBytes, ndjsonBytes, type Layout } from './application-rows.ts';
import { filesWriteOptions, type FilesSettings } from './settings.ts';

/** A file takes every change; written again under its name it is the same file. */
const writes: Readonly<Record<Operation, Settling>> = {
  create: 'upsert',
  update: 'upsert',
  upsert: 'upsert',
  delete: 'upsert',
  archive: 'upsert',
  add: 'upsert',
  remove: 'upsert',
};

/**
 * A folder that gets a file for each batch: `<object>-<run>-<first row's number>.csv`. An attempt that sends the same rows again replaces
 * the file. `object` is a name, or folders and a name. With a transport the text of the file is only shown.
 */
export async function openApplication(
  settings: FilesSettings,
  name: string,
  request: ApplicationRequest,
  { transport }: Pick<ApplicationContext, 'transport'> = {},
): Promise<Application> {
  const parsed = filesWriteOptions.safeParse(request.write);
  if (!parsed.success) {
    const found = parsed.error.issues.map((issue) => `write.${issue.path.join('.')}: ${issue.message}`);
    throw new MillraceError('config', `connection ${name}, ${request.object}: ${found.join('; ')}`);
  }
  const { format = 'csv', formulas = 'escape' } = parsed.data;
  const root = resolve(settings.path);
  const layout = layoutOf(request);
  let tidied: Promise<void> | undefined;

  const send = async (batch: Batch, attempt: Attempt): Promise<readonly Outcome[]> => {
    const [first] = batch.rows;
    if (first === undefined) return [];
    const target = targetOf(root, request.object);
    const bytes = format === 'csv' ? csvBytes(layout, batch, formulas) : ndjsonBytes(layout, batch);
    if (transport !== undefined) {
      await transport({ method: 'WRITE', url: `${request.object}.${format}`, headers: {}, body: Buffer.from(bytes).toString() });
      return batch.rows.map(() => ({ status: 'acknowledged' }));
    }
    const begins = `${target.stem}-${runOf(attempt)}-`;
    await (tidied ??= removeLeftovers(target, begins));
    await replaceFile(target, `${begins}${String(first.no).padStart(10, '0')}.${format}`, bytes, attempt.signal);
    return batch.rows.map(() => ({ status: 'acknowledged' }));
  };
  return {
    limits: { batchRows: 50_000, batchBytes: 16 * 1024 * 1024, concurrency: 1, requestTimeout: 30_000 },
    identity: root,
    writes,
    changedOnly: false,
    check: async () => await checkWritable(root, request.object),
    objects: async () => [],
    describe: async () => ({
      fields: [...request.match, ...request.fields].map((name) => plainField(name, 'any', { unique: request.match.includes(name) })),
      closed: false,
    }),
    send,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Which columns the files have. The operation is one of them where a file's rows alone don't say what to do. */
function layoutOf({ match, fields, operations }: ApplicationRequest): Layout {
  return { match, fields: fields.filter((field) => !match.includes(field)), withOperation: operations?.length !== 1 };
}

/** The run's id, which every attempt's name has in it. */
function runOf(attempt: Attempt): string {
  const [, run = attempt.name] = attempt.name.split(':');
  return run.replaceAll(/[^A-Za-z0-9-]/g, '-');
}
