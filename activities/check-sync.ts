import { hostname } from 'node:os';
import type { Field } from '../connectors/application.ts';
import type { Attempt, Warehouse } from '../connectors/connector.ts';
import type { Checked } from '../schema/check.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { looseAttempt } from './attempt.ts';
import { checkSyncDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';
import { openSync } from './open-sync.ts';
import { operationsOf } from './operations.ts';
import { columnProblems, fieldFindings, optionFields, type Findings } from './sync-fields.ts';

const problem = (sentence: string): Findings => ({ problems: [sentence], warnings: [] });

function together(found: readonly Findings[]): Findings {
  return { problems: found.flatMap(({ problems }) => problems), warnings: found.flatMap(({ warnings }) => warnings) };
}

/** Sentences in place of an error that a person can mend. */
async function asFindings(work: () => Promise<Findings>, scrub: (text: string) => string): Promise<Findings> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return problem(scrub(error.message));
  }
}

async function columnsOf(warehouse: Warehouse, sql: string, attempt: Attempt): Promise<readonly Column[]> {
  await using rows = await warehouse.query(sql, attempt);
  return rows.columns;
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** How many rows of the model have a value that the field's options don't have. */
async function strangeRows(warehouse: Warehouse, sql: string, { column, options }: Options, attempt: Attempt): Promise<number> {
  const model = sql.trim().replace(/;$/, '');
  const where = `${identifier(column)}::text COLLATE "C" NOT IN (${options.map(literal).join(', ')})`;
  await using rows = await warehouse.query(`SELECT count(*) AS rows FROM (${model}\n) AS model WHERE ${where}`, attempt);
  let text = '';
  for await (const bytes of rows.bytes) text += Buffer.from(bytes).toString();
  return Number(text.replaceAll(/\D/g, ''));
}

interface Options {
  readonly column: string;
  readonly options: readonly string[];
}

async function optionFindings(
  warehouse: Warehouse,
  { model }: SyncDefinition,
  mapped: readonly { readonly column: string; readonly field: Field }[],
  attempt: Attempt,
): Promise<Findings> {
  const warnings: string[] = [];
  for (const { column, field } of mapped) {
    const { options = [] } = field;
    const rows = await strangeRows(warehouse, model.sql, { column, options }, attempt);
    if (rows === 0) continue;
    const shown = options.slice(0, 10).join(', ');
    warnings.push(`column ${column}: ${rows} rows have a value that field ${field.name} doesn't take; it takes ${shown}`);
  }
  return { problems: [], warnings };
}

/** What the application says of its object, held against mode and mapping; `system` is told as soon as it is known. */
async function applicationFindings(
  deps: Dependencies,
  sync: SyncDefinition,
  model: { readonly warehouse: Warehouse; readonly columns: readonly Column[] },
  { attempt, onSystem }: { readonly attempt: Attempt; readonly onSystem: (system: string) => void },
): Promise<Findings> {
  await using opened = await openSync(deps, sync);
  const { application } = opened;
  const { system, problems, warnings } = await application.check(attempt);
  onSystem(system);
  if (problems.length > 0) return { problems, warnings };
  operationsOf(sync, application.writes);
  const description = await application.describe(attempt);
  const fields = fieldFindings(sync, model.columns, description);
  const known = optionFields(sync, description).filter(({ column }) => model.columns.some(({ name }) => name === column));
  return together([{ problems, warnings }, fields, await optionFindings(model.warehouse, sync, known, attempt)]);
}

/** Asks a sync's model and application, sending nothing: columns, fields, operations and grants; what is wrong comes back as sentences. */
export const createCheckSync = (deps: Dependencies) =>
  async function checkSync(sync: SyncDefinition): Promise<Checked> {
    const attempt = looseAttempt('check');
    const scrub = (text: string): string => deps.scrub(text);
    let columns: readonly Column[] = [];
    let system = '';
    const onSystem = (said: string): void => {
      system = said;
    };
    const found = await asFindings(async () => {
      checkSyncDefinition(sync);
      await using warehouse = await deps.openWarehouse(sync.warehouse);
      const ofModel = await asFindings(async () => {
        columns = await columnsOf(warehouse, sync.model.sql, attempt);
        return { problems: columnProblems(sync, columns), warnings: [] };
      }, scrub);
      const ofApplication = await asFindings(() => applicationFindings(deps, sync, { warehouse, columns }, { attempt, onSystem }), scrub);
      return together([ofModel, ofApplication]);
    }, scrub);
    const place = `${sync.to.name}.${sync.object}`;
    return { kind: 'sync', name: sync.name, role: '', system: system === '' ? place : `${place} of ${system}`, host: hostname(), ...found };
  };
