import assert from 'node:assert/strict';
import type { Change } from '../../connectors/gateway-books.ts';
import type { LiveCatalog } from '../../gateway/catalog-refresh.ts';
import type { PublishedApi } from '../../gateway/catalog.ts';
import type { ChangesFeed } from '../../gateway/context.ts';
import { followDatasets } from '../../gateway/follow-catalog.ts';
import { apiOf, publishedApi, silent } from './access-kit.ts';
import { until } from '../workflows/until.ts';

const published = (name: string): PublishedApi => publishedApi(apiOf(name, {}), [`marts.${name}`]);

/** Commits to tables, and the APIs that are described again because of them. */
function follow(missing: readonly string[], unreachable: readonly string[] = []) {
  const listeners: ((change: Change) => void)[] = [];
  const feed: ChangesFeed = {
    isLive: true,
    position: 0n,
    lastChange: () => 0n,
    onChange: (listener) => {
      listeners.push(listener);
      return () => undefined;
    },
  };
  const apis = [published('orders'), published('customers')];
  const asked: (readonly string[] | undefined)[] = [];
  const catalog: LiveCatalog = {
    generation: 1,
    fingerprint: '',
    apis,
    unreachable: new Set(unreachable),
    missing: new Map(missing.map((name) => [name, 'it is not there'])),
    api: (name) => apis.find(({ definition }) => definition.name === name),
    async refresh(names) {
      asked.push(names?.toSorted());
    },
  };
  const ended = followDatasets(catalog, new Map([['warehouse', feed]]), silent);
  const commit = (dataset: string): void => {
    for (const tell of listeners) tell({ id: '1', project: 'shop', dataset, name: dataset, loadId: '', rows: 1, at: '' });
  };
  const refreshed = async (): Promise<readonly string[] | undefined> => {
    await until(() => asked.length > 0, 'refresh');
    return asked[0];
  };
  return { commit, refreshed, [Symbol.dispose]: () => ended[Symbol.dispose]() };
}

describe('what a commit has described again', () => {
  it('is each API that reads the table', async () => {
    using followed = follow([]);
    followed.commit('marts.orders');
    assert.deepEqual(await followed.refreshed(), ['orders']);
  });

  it('is all that is missing, whatever the table: it may be there now', async () => {
    using followed = follow(['later', 'customers.visits']);
    followed.commit('raw.anything');
    assert.deepEqual(await followed.refreshed(), ['customers', 'later']);
  });

  it('is not what a warehouse that is away has: it would hold up all others', async () => {
    using followed = follow(['elsewhere'], ['other']);
    followed.commit('marts.customers');
    assert.deepEqual(await followed.refreshed(), ['customers']);
  });
});
