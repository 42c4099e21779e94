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

/** Gives the statement of a request. The same object is compiled once: it may be asked thousands of times, each time with another key. */
export function keepStatements(maskKey: string | undefined): (request: DatasetRequest | DatasetRow) => ReadyStatement {
  const kept = new WeakMap<DatasetRequest, ReadyStatement>();
  // Requests of one shape share one text.
  const texts = new LRUCache<string, string>({ max: 500 });
  // Stands for a value of the key; nobody can guess it, so that no other value is taken for one.
  const place = randomUUID();

  function statementOf(request: DatasetRequest, whole: () => DatasetRequest): ReadyStatement {
    const known = kept.get(request);
    if (known !== undefined) return known;
    const asked = whole();
    const compiled = compile(asked, maskKey);
    const name = statementName(compiled.text);
    const text = texts.get(name) ?? compiled.text;
    texts.set(name, text);
    const made = { ...compiled, text, name, estimates: estimatedReads(asked).map(compileEstimate) };
    kept.set(request, made);
    return made;
  }

  const ofAnyKey = (read: DatasetRead): DatasetRead => {
    const filters = read.sort.map(({ column }, at): Filter => ({ kind: 'compare', column, op: 'eq', value: `${place} ${at}` }));
    return { ...read, filter: { kind: 'and', filters } };
  };

  return (request) => {
    if (request.kind !== 'row') return statementOf(request, () => request);
    const { read, key } = request;
    const { values, ...ready } = statementOf(read, () => ofAnyKey(read));
    const places = new Map(read.sort.map((_, at) => [`${place} ${at}`, key[at] ?? null]));
    return { ...ready, values: values.map((value) => (typeof value === 'string' ? (places.get(value) ?? value) : value)) };
  };
}
