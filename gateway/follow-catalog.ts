import type { PublishedApi } from './catalog.ts';
import type { LiveCatalog } from './catalog-refresh.ts';
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

  const refresh = (names?: readonly string[]): void => {
    catalog.refresh(names).catch((error: unknown) => log.error({ error: String(error) }, 'datasets could not be described'));
  };
  const schedule = (): void => {
    next = setTimeout(
      () => {
        refresh();
        schedule();
      },
      catalog.missing.size > 0 || catalog.unreachable.size > 0 ? soon : regularly,
    );
    next.unref();
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
      if (touched.size > 0) gathering ??= setTimeout(flush, gathered);
    }),
  );
  schedule();
  return {
    [Symbol.dispose]() {
      for (const end of ends) end();
      clearTimeout(gathering);
      clearTimeout(next);
    },
  };
}
