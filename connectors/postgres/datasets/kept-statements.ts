import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { DatasetRead, DatasetRequest, DatasetRow, Filter } from '../../../schema/dataset.ts';
import { compile, compileEstimate, estimatedReads } from './compile.ts';
import { statementName, type CompiledStatement } from './statement.ts';

/** A request's statement, ready to be run. */
export interface ReadyStatement extends CompiledStatement {
  /** Of the prepared statement. */
  readonly name: string;
  /** Whose estimates are values of the statement. */
  readonly estimates: readonly CompiledStatement[];
}

/** The statement of one row by its key. */
interface RowStatement extends ReadyStatement {
  /** For each value, which part of the key stands in its place. */
  readonly parts: readonly (number | undefined)[];
}

/** Gives the statement of a request. The same object is compiled once: it may be asked thousands of times, each time with another key. */
export function keepStatements(maskKey: string | undefined): (request: DatasetRequest | DatasetRow) => ReadyStatement {
  const kept = new WeakMap<DatasetRequest, ReadyStatement>();
  const keptRows = new WeakMap<DatasetRead, RowStatement>();
  // Requests of one shape share one text.
  const texts = new LRUCache<string, string>({ max: 500 });
  // Stands for a value of the key; nobody can guess it, so that no other value is taken for one.
  const place = randomUUID();

  function readied(request: DatasetRequest): ReadyStatement {
    const compiled = compile(request, maskKey);
    const name = statementName(compiled.text);
    const text = texts.get(name) ?? compiled.text;
    texts.set(name, text);
    return { ...compiled, text, name, estimates: estimatedReads(request).map(compileEstimate) };
  }

  function statementOf(request: DatasetRequest): ReadyStatement {
    const known = kept.get(request);
    if (known !== undefined) return known;
    const made = readied(request);
    kept.set(request, made);
    return made;
  }

  function rowStatementOf(read: DatasetRead): RowStatement {
    const known = keptRows.get(read);
    if (known !== undefined) return known;
    const places = read.sort.map((_, at) => `${place} ${at}`);
    const filters = read.sort.map(({ column }, at): Filter => ({ kind: 'compare', column, op: 'eq', value: places[at] ?? '' }));
    const ready = readied({ ...read, filter: { kind: 'and', filters } });
    const parts = ready.values.map((value) => {
      const at = typeof value === 'string' ? places.indexOf(value) : -1;
      return at < 0 ? undefined : at;
    });
    const made = { ...ready, parts };
    keptRows.set(read, made);
    return made;
  }

  return (request) => {
    if (request.kind !== 'row') return statementOf(request);
    const statement = rowStatementOf(request.read);
    const values = statement.values.map((value, at) => {
      const part = statement.parts[at];
      return part === undefined ? value : (request.key[part] ?? null);
    });
    return { ...statement, values };
  };
}
