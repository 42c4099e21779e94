import { MillraceError } from '../../schema/errors.ts';
import type { OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient } from '../http/client.ts';
import type { FindDeclaration } from './declaration.ts';
import { findAll, findFirst, jsonPath, textOf } from './json-path.ts';
import { compileMatching } from './matching.ts';
import { compileJson } from './render.ts';
import { compileRequest } from './request.ts';
import { batchScope, rowScope, type ObjectScope } from './scope.ts';

/** Looks rows up: the application's id of each, undefined where it has none. */
export type Find = (rows: readonly OutgoingRow[], attempt: Attempt) => Promise<readonly (string | undefined)[]>;

interface Finding {
  readonly client: HttpClient;
  readonly scope: ObjectScope;
  /** Names object and look-up. */
  readonly where: string;
}

export function compileFind(declared: FindDeclaration, finding: Finding): Find {
  const { client, scope } = finding;
  const fill = compileRequest(declared, { repeatable: true, expects: 'json' });
  const row = compileJson(declared.row ?? '{{ match }}');
  const read = compileFound(declared, finding);
  const size = declared.batch ?? 1;
  return async (rows, attempt) => {
    const ids: (string | undefined)[] = [];
    for (let at = 0; at < rows.length; at += size) {
      const part = rows.slice(at, at + size);
      const [first] = part;
      if (first === undefined) break;
      const filled =
        declared.batch === undefined
          ? rowScope(scope, first)
          : batchScope(
              scope,
              part.map((each) => row(rowScope(scope, each)) ?? null),
            );
      ids.push(...read(await client.request(fill(filled), attempt), part));
    }
    return ids;
  };
}

function compileFound(
  declared: FindDeclaration,
  { scope, where }: Finding,
): (answer: HttpAnswer, rows: readonly OutgoingRow[]) => readonly (string | undefined)[] {
  const { absent = [404] } = declared;
  const id = jsonPath(declared.id);
  const items = declared.items === undefined ? undefined : jsonPath(declared.items);
  const match = declared.match === undefined ? undefined : compileMatching(declared.match);
  return (answer, rows) => {
    if (absent.includes(answer.status)) return rows.map(() => undefined);
    if (answer.status < 200 || answer.status > 299)
      throw new MillraceError('config', `${where}: the look-up was refused with HTTP ${answer.status}`);
    if (items === undefined) return rows.map(() => textOf(findFirst(id, answer.body)));
    const ids: (string | undefined)[] = rows.map(() => undefined);
    const matches = match?.(rows, scope) ?? (() => [0]);
    for (const item of findAll(items, answer.body)) {
      for (const place of matches(item)) ids[place] ??= textOf(findFirst(id, item.value));
    }
    return ids;
  };
}
