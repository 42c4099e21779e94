import assert from 'node:assert/strict';
import type { GatewayContext, Limits } from '../../gateway/context.ts';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';
import { sql } from '../pipeline-kit.ts';

/** Limits that wait, as those of a slow Redis do. */
interface Gate {
  /** Somebody waits. */
  readonly reached: () => void;
  readonly opened: Promise<void>;
}

describe('a request whose limits take long while shapes change', () => {
  let gateway: TestGateway;
  let context: GatewayContext;
  let token: string;
  let gate: Gate | undefined;

  before(async () => {
    gateway = await openTestGateway({
      tables: `CREATE TABLE marts.orders (id int PRIMARY KEY, old text, keep text); INSERT INTO marts.orders VALUES (1, 'a', 'k')`,
      apis: { orders: { dataset: 'marts.orders', key: 'id', roles: { reader: { fields: 'all' } }, cache: { ttl: '1h', until: 'ttl' } } },
      parts: [
        (_, own) => {
          context = own;
          const { limits } = own;
          const slow: Limits['take'] = (api, caller) => {
            const { reached, opened } = gate ?? {};
            reached?.();
            return opened === undefined ? limits.take(api, caller) : opened.then(() => limits.take(api, caller));
          };
          Object.assign(own, { limits: { take: slow } });
        },
      ],
    });
    token = await gateway.token({ role: 'reader' });
  });

  after(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  /** The answer to a request that was waiting for its limits when the table changed, and to the same afterwards. */
  const raced = async (path: string, change: string): Promise<readonly unknown[]> => {
    const ask = async (): Promise<unknown> => {
      const { status, json } = await gateway.get(path, { token });
      return status === 200 ? json : status;
    };
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => void (open = resolve));
    const { generation } = context.catalog;
    const { slow } = await new Promise<{ slow: Promise<unknown> }>((resolve) => {
      gate = { reached: () => resolve({ slow }), opened };
      const slow = ask();
    });
    gate = undefined;
    await sql(gateway.database, `${change}; SELECT _millrace.announce('test', 'marts.orders', 'orders', NULL, 1)`);
    await until(() => context.catalog.generation > generation);
    open();
    return [await slow, await ask()];
  };

  it('has a list with the columns that there are', async () => {
    const expected = { data: [{ id: 1, keep: 'k' }], next: null };
    assert.deepEqual(await raced('/api/orders?limit=7', 'ALTER TABLE marts.orders DROP COLUMN old'), [expected, expected]);
  });

  it('has a row with the columns that there are', async () => {
    const expected = { id: 1, keep: 'k', fresh: null };
    assert.deepEqual(await raced('/api/orders/1', 'ALTER TABLE marts.orders ADD COLUMN fresh int'), [expected, expected]);
  });

  it('is told by GraphQL what is there no more', async () => {
    const query = `/graphql?query=${encodeURIComponent('{ orders { nodes { id fresh } } }')}`;
    const [first, later] = await raced(query, 'ALTER TABLE marts.orders DROP COLUMN fresh');
    assert.match(JSON.stringify(first), /Cannot query field .*fresh/);
    assert.deepEqual(first, later);
  });
});
