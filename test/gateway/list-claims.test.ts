import assert from 'node:assert/strict';
import { wantsOne } from '../../gateway/list-claims.ts';
import { openTestGateway } from '../gateway-kit.ts';

const split = (rule: string): readonly [string, string] => {
  const [before = '', after = ''] = rule.split('$');
  return [before, after];
};

describe('a claim that is a list', () => {
  it('is none where a rule compares one value, and goes where arrays, lists and JSON do', () => {
    const one = [
      'region = $',
      'region=$ AND open',
      'region <> $',
      'region != $',
      'level >= $',
      'region LIKE $',
      'region NOT ILIKE $',
      'region IN ($)',
      'region = $::text',
      'level < $::numeric(3, 1) OR open',
      '$ = region',
      '$ = ANY (regions)',
      '$::text = region',
      '$ IN (SELECT region FROM marts.regions)',
    ];
    const many = [
      'region = ANY ($)',
      'region = ANY($::text[])',
      'regions && $',
      'regions @> $',
      'regions <@ $',
      'regions = $::text[]',
      '$::text[] = regions',
      '$::text[] && regions',
      'details @> $::jsonb',
      'details = $::jsonb',
      'region IN (SELECT unnest($::text[]))',
      'cardinality($::text[]) = 2',
      'details ?| $',
    ];
    for (const rule of one) assert.ok(wantsOne(...split(rule)), rule);
    for (const rule of many) assert.ok(!wantsOne(...split(rule)), rule);
  });

  it('is refused with the remedy in place of an answer without rows, in REST and GraphQL; rules for lists take it', async () => {
    const rows = (rule: string) => ({ dataset: 'marts.shops', key: 'id', roles: { clerk: { fields: 'all', rows: rule } } });
    await using gateway = await openTestGateway({
      tables: `CREATE TABLE marts.shops (id integer PRIMARY KEY, region text, regions text[]);
        INSERT INTO marts.shops VALUES (1, 'EU', '{EU}'), (2, 'US', '{US,EU}'), (3, 'JP', '{}'), (4, '{"EU","US"}', '{}')`,
      apis: {
        one: rows('region = ${claim:region}'),
        some: rows('region = ANY (${claim:region})'),
        overlapping: rows('regions && ${claim:region}'),
        whole: rows('${claim:region}::text[] = regions'),
      },
    });
    const several = await gateway.token({ role: 'clerk', claims: { region: ['EU', 'US'] } });
    const single = await gateway.token({ role: 'clerk', claims: { region: 'EU' } });
    const ids = async (api: string, token: string): Promise<unknown> => {
      const { status, json } = await gateway.get(`/api/${api}`, { token });
      return status === 200 ? json.data.map(({ id }: { id: number }) => id) : [status, json.type, json.detail];
    };
    const detail =
      'The claim "region" of the token is a list, and the rows of one go by one value: give one, or have the rule say = ANY(${claim:region}).';
    assert.deepEqual(await ids('one', several), [403, 'urn:millrace:problem:claim-is-a-list', detail]);
    assert.equal((await gateway.get('/aggregate/one?measures=count', { token: several })).status, 403);
    const graph = await gateway.post('/graphql', { query: '{ one { nodes { id } } }' }, { token: several });
    assert.match(graph.text, /is a list, and the rows of one go by one value/);
    assert.deepEqual(await ids('one', single), [1]);
    assert.deepEqual(await ids('some', several), [1, 2]);
    assert.deepEqual(await ids('some', single), [1]);
    assert.deepEqual(await ids('overlapping', several), [1, 2]);
    assert.deepEqual(await ids('whole', several), []);
  });
});
