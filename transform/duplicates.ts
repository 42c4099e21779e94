import type { Step } from '../schema/step.ts';
import { fileId, lineId, outcomes, type Chain } from './chain.ts';
import { groupValue, typedValue, type Field } from './types.ts';

interface Grouping {
  readonly group: readonly string[];
  readonly order: readonly string[];
  /** True for rows that belong to a group. */
  readonly condition: string;
  /** Of the rows of a group that are not its first. */
  readonly outcome: number;
}

/**
 * Decides the outcome of the rows that are not the first of their group, among those that still go on, and gives how many they are.
 * Groups of more than one row are found first, by a hash of the key alone: only their rows, mostly few, are numbered and ordered.
 * `random()` keeps DuckDB, which takes files for small, from a join that holds all rows in memory.
 */
async function decideLater(chain: Chain, { group, order, condition, outcome }: Grouping): Promise<number> {
  const { engine } = chain;
  const [repeated, suspects, later] = [chain.newId(), chain.newId(), chain.newId()];
  const hash = `hash(${group.join(', ')})`;
  const groups = await engine.run(
    `CREATE TEMP TABLE ${repeated} AS SELECT h FROM (SELECT ${hash} AS h FROM (${chain.rows(chain.needsLines)}) WHERE ${condition}) GROUP BY h HAVING count(*) > 1`,
  );
  if (groups === 0) return 0;
  const columns = chain.sourceColumns.join(', ');
  const marked = (rows: string): string =>
    `SELECT *, CASE WHEN random() < 2 THEN ${hash} IN (FROM ${repeated}) END AS "m~suspect" FROM (${rows})`;
  await engine.run(`CREATE TEMP TABLE ${suspects} AS SELECT ${columns} FROM (${marked(chain.rows(true))}) WHERE "m~suspect"`);
  const found = await engine.run(
    `CREATE TEMP TABLE ${later} AS SELECT ${fileId} AS file, ${lineId} AS line FROM (${chain.those('IS NULL', true, `SELECT ${columns} FROM ${suspects}`)})
     WHERE ${condition} QUALIFY row_number() OVER (PARTITION BY ${group.join(', ')} ORDER BY ${[...order, fileId, lineId].join(', ')}) > 1`,
  );
  if (found === 0) return 0;
  const flag = chain.newId();
  const flagged = `SELECT ${columns}, (${fileId}, ${lineId}) IN (SELECT (file, line) FROM ${later}) AS ${flag} FROM`;
  if (chain.ordered) chain.needsLines = true;
  chain.rebase(
    chain.ordered
      ? `${flagged} (${chain.sql})`
      : `SELECT ${columns}, false AS ${flag} FROM (${marked(chain.sql)}) WHERE NOT "m~suspect" UNION ALL ${flagged} ${suspects}`,
    flag,
  );
  chain.decide([{ condition: flag, outcome }]);
  return found;
}

function orderTerm(chain: Chain, written: string): string {
  const [name = '', direction = 'asc'] = written.trim().split(/\s+/);
  const own = { _file: fileId, _line: lineId }[name];
  const value = own ?? typedValue(chain.field(name));
  return `${value} ${direction.toUpperCase()} NULLS LAST`;
}

/** Keeps the first row of each key. */
export async function dedupe(chain: Chain, { dedupe: { key, order } }: Extract<Step, { readonly dedupe: unknown }>): Promise<void> {
  chain.duplicates += await decideLater(chain, {
    group: key.map((name) => groupValue(chain.field(name))),
    order: order.map((term) => orderTerm(chain, term)),
    condition: 'true',
    outcome: outcomes.duplicate,
  });
}

/** Fails the rows whose value an earlier one has. */
export async function expectUnique(chain: Chain, field: Field, code: number): Promise<void> {
  await decideLater(chain, { group: [groupValue(field)], order: [], condition: `${field.id} IS NOT NULL`, outcome: code });
}
