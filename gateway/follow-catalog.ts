import type { PublishedApi } from './catalog.ts';
import { describeAgain, missingApis, type LiveCatalog } from './catalog-refresh.ts';
import type { ChangesFeed, GatewayLog } from './context.ts';

const regularly = 30_000;
/** While something is missing. */
const soon = 3_000;
/** After a commit: those that come close to each other are looked at once. */
const gathered = 250;

const readsOf = ({ shape, relationShapes }: PublishedApi): readonly string[] => [
  ...shape.reads,
  ...[...relationShapes.values()].flatMap(({ reads }) => reads),
];

/** Has datasets described again after commits to them, and now and then anyhow: a table may be altered by anybody. */
export function followDatasets(catalog: LiveCatalog, feeds: ReadonlyMap<string, ChangesFeed>, log: GatewayLog): Disposable {
  const touched = new Set<string>();
  let gathering: NodeJS.Timeout | undefined;
  let next: NodeJS.Timeout | undefined;
  let nextAt = Infinity;
  let isEnded = false;

  /** At the earliest of the times asked for: commits to one table must not put off all others. */
  const schedule = (): void => {
    const at = performance.now() + (catalog.missing.size > 0 || catalog.unreachable.size > 0 ? soon : regularly);
    if (isEnded || at >= nextAt) return;
    clearTimeout(next);
    nextAt = at;
    next = setTimeout(() => {
      nextAt = Infinity;
      refresh();
    }, at - performance.now());
    next.unref();
  };
  const refresh = (names?: readonly string[]): void => {
    void describeAgain(catalog, log, names).finally(schedule);
  };
  const flush = (): void => {
    gathering = undefined;
    refresh([...touched]);
    touched.clear();
  };
  const ends = [...feeds].map(([warehouse, feed]) =>
    feed.onChange(({ dataset }) => {
      for (const api of catalog.apis) {
        if (api.definition.warehouse === warehouse && readsOf(api).includes(dataset)) touched.add(api.definition.name);
      }
      for (const name of missingApis(catalog)) touched.add(name);
      if (touched.size > 0) gathering ??= setTimeout(flush, gathered);
    }),
  );
  schedule();
  return {
    [Symbol.dispose]() {
      isEnded = true;
      for (const end of ends) end();
      clearTimeout(gathering);
      clearTimeout(next);
    },
  };
}
