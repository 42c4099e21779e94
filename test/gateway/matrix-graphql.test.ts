import assert from 'node:assert/strict';
import { columnsOf, each, openMatrix, relationsOf, type Matrix } from './matrix-kit.ts';
import { columnsSeen, factsOf, operators, seenOf, seenThrough, targetOf, type Seen } from './matrix-oracle.ts';
import { apis } from './matrix-sample.ts';

interface Counted {
  readonly totalCount?: number;
  readonly count?: number;
}
const sumOf = (all: readonly Counted[]): number => all.reduce((sum, { totalCount = 0, count = 0 }) => sum + totalCount + count, 0);

describe('role × field over GraphQL and in documents, as the project file says', function () {
  this.timeout(240_000);
  let matrix: Matrix;
  before(async () => (matrix = await openMatrix()));
  after(async () => await matrix[Symbol.asyncDispose]());

  const literalOf = (seen: Seen, column: string, operator: string): string => {
    if (operator === 'null') return 'true';
    const value = matrix.oracle.value(seen.types, column);
    const written = factsOf(seen.types[column]!).isBare ? value : JSON.stringify(value);
    return operator === 'in' || operator === 'not_in' ? `[${written}]` : written;
  };

  it('GraphQL shows the same rows and columns, by page and by key', async () => {
    await each(matrix.visible, async (pair) => {
      const { caller, api, seen } = pair;
      const expected = await matrix.rowsOf(pair);
      const columns = columnsSeen(seen);
      const told = await matrix.graphql(
        caller,
        `{ ${api}(first: 100) { totalCount nodes { ${columns.join(' ')} } edges { node { ${columns[0]!} } } } }`,
      );
      const rows = expected.map(({ row }) => row);
      const edges = rows.map((row) => ({ node: { [columns[0]!]: row[columns[0]!] } }));
      assert.deepEqual(told.json.data?.[api], { totalCount: rows.length, nodes: rows, edges }, `${caller.name} ${told.text.slice(0, 300)}`);
      const keyed = (await matrix.oracle.allKeys(api)).slice(0, 30).map((key, at) => {
        const given = seen.key.map(
          (name, place) => `${name}: ${factsOf(seen.types[name]!).isBare ? key[place] : JSON.stringify(key[place])}`,
        );
        return `k${at}: ${api}ByKey(${given.join()}) { ${seen.key.join(' ')} }`;
      });
      const own = new Set(expected.map(({ key }) => key.join('/')));
      const byKey = (await matrix.graphql(caller, `{ ${keyed.join(' ')} }`)).json;
      assert.deepEqual(
        Object.values(byKey.data ?? byKey).flatMap((row) => (row === null ? [] : [Object.values(row as object).join('/')])),
        (await matrix.oracle.allKeys(api))
          .slice(0, 30)
          .map((key) => key.join('/'))
          .filter((key) => own.has(key)),
        caller.name,
      );
    });
  });

  it('columns that the role does not see are none, and relations are there as far as it sees where they lead', async () => {
    await each(matrix.visible, async (pair) => {
      const { caller, api, seen } = pair;
      const expected = await matrix.rowsOf(pair);
      for (const column of columnsOf(pair).filter((one) => seen.use(one) === 'unknown'))
        assert.equal(
          (await matrix.graphql(caller, `{ ${api} { nodes { ${column} } } }`)).json.errors?.[0].extensions.code,
          'GRAPHQL_VALIDATION_FAILED',
        );
      for (const [name, relation] of relationsOf(api)) {
        const inner = seenThrough(relation, caller.role);
        const fields = inner === undefined ? ['x'] : columnsSeen(inner);
        const isPage = relation.one !== true && targetOf(relation) !== undefined;
        const selected = isPage ? `{ nodes { ${fields.join(' ')} } }` : `{ ${fields.join(' ')} }`;
        const { data, errors } = (await matrix.graphql(caller, `{ ${api}(first: 100) { nodes { ${name} ${selected} } } }`)).json;
        if (!seen.relations.includes(name)) {
          assert.equal(errors?.[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED', `${caller.name} ${api} ${name}`);
          continue;
        }
        const got = data[api].nodes.map((row: Record<string, { nodes?: unknown }>) => [row[name]?.nodes ?? row[name] ?? []].flat());
        const related = await Promise.all(expected.map(({ plain }) => matrix.oracle.related(relation, plain, caller)));
        assert.deepEqual(
          got.map((some: readonly unknown[]) => some.map((row) => JSON.stringify(row)).sort()),
          related.map((some) => some.map((row) => JSON.stringify(row)).sort()),
          `${caller.name} ${api} ${name}`,
        );
      }
    });
  });

  it('GraphQL filters by what is seen unmasked, among the rows of the rule, and knows no other columns', async () => {
    const uses = matrix.visible.flatMap((pair) => columnsOf(pair).map((column) => ({ ...pair, column })));
    await each(uses, async ({ column, ...pair }) => {
      const { caller, api, seen } = pair;
      const facts = factsOf(seen.types[column]!);
      const isUsable = seen.use(column) === 'usable';
      const expected = await matrix.rowsOf(pair);
      const label = `${caller.name} ${api} ${column}`;
      const filters = operators.map(
        (operator) => `${operator}: ${api}(first: 100, filter: { ${column}: { ${operator}: ${literalOf(seen, column, operator)} } })`,
      );
      const asked = filters.filter((_, at) => !isUsable || facts.operators.includes(operators[at]!));
      const selected = asked.map((field) => `${field} { totalCount nodes { ${seen.key.join(' ')} } }`);
      const told = isUsable ? (await matrix.graphql(caller, `{ ${selected.join(' ')} }`)).json : undefined;
      if (isUsable)
        for (const operator of facts.operators) {
          const keys = expected.filter(({ matches }) => matches.includes(`${column} ${operator}`)).map(({ key }) => key);
          assert.deepEqual(
            told.data?.[operator]?.nodes.map((row: object) => Object.values(row).map(String)),
            keys,
            `${label} ${operator} ${JSON.stringify(told.errors)}`,
          );
          assert.equal(told.data[operator].totalCount, keys.length, label);
        }
      else
        for (const one of selected)
          assert.equal(
            (await matrix.graphql(caller, `{ ${one} }`)).json.errors?.[0].extensions.code,
            'GRAPHQL_VALIDATION_FAILED',
            `${label} ${one}`,
          );
    });
  });

  it('GraphQL sorts, groups and measures by these alone', async () => {
    const uses = matrix.visible.flatMap((pair) => columnsOf(pair).map((column) => ({ ...pair, column })));
    await each(uses, async ({ column, ...pair }) => {
      const { caller, api, seen } = pair;
      const facts = factsOf(seen.types[column]!);
      const isUsable = seen.use(column) === 'usable';
      const { length } = await matrix.rowsOf(pair);
      const label = `${caller.name} ${api} ${column}`;
      const others: readonly (readonly [string, boolean])[] = [
        [`${api}(sort: [${column}_ASC]) { totalCount }`, facts.isOrdered],
        [`${api}(sort: [${column}_DESC]) { totalCount }`, facts.isOrdered],
        [`${api}Aggregate(first: 100, groupBy: [${column}]) { count group { ${column} } }`, facts.isOrdered],
        ...['sum', 'avg', 'min', 'max'].map(
          (name) => [`${api}Aggregate { count ${name} { ${column} } }`, facts.measures.includes(name)] as const,
        ),
      ];
      for (const [query, allowed] of others) {
        const { data, errors } = (await matrix.graphql(caller, `{ asked: ${query} }`)).json;
        if (!isUsable || !allowed) {
          assert.equal(errors?.[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED', `${label} ${query}`);
          continue;
        }
        assert.equal(errors, undefined, `${label} ${query} ${JSON.stringify(errors)}`);
        const counts: readonly Counted[] = [data.asked].flat();
        assert.equal(sumOf(counts), length, `${label} ${query}`);
      }
    });
  });

  it('documents and introspection name what the role sees, and nothing else', async () => {
    const names = new Set([
      ...Object.keys(apis),
      ...matrix.pairs.flatMap(({ api }) => relationsOf(api).map(([name]) => name)),
      'analyst',
      'tenant',
      'clerk',
    ]);
    const byCaller = new Map(matrix.pairs.map(({ caller }) => [caller, matrix.visible.filter((pair) => pair.caller === caller)]));
    await each([...byCaller], async ([caller, own]) => {
      const inner = own.flatMap(({ api, seen }) =>
        relationsOf(api).flatMap(([name, relation]) => (seen.relations.includes(name) ? seenThrough(relation, caller.role)! : [])),
      );
      const shown = new Set([
        ...own.map(({ api }) => api),
        ...own.flatMap(({ seen }) => seen.relations),
        ...[...own.map(({ seen }) => seen), ...inner].flatMap(columnsSeen),
      ]);
      const every = new Set([
        ...names,
        ...Object.keys(apis).flatMap((api) => Object.keys(seenOf(api, 'owner')!.types)),
        'visit_note',
        'even ones',
        'claim:',
        'marts',
      ]);
      const hidden = [...every].filter((name) => !shown.has(name));
      const openapi = await matrix.ask(caller, '/openapi.json');
      const schema = await matrix.graphql(
        caller,
        '{ __schema { types { name description fields { name description args { name description } } inputFields { name } enumValues { name } } } }',
      );
      if (caller.role !== 'anonymous' && own.length > 0) assert.equal(openapi.status, 200, caller.name);
      for (const name of hidden) {
        const word = new RegExp(`(?<![A-Za-z_-])${name}(?![A-Za-z-])(?!_[a-z])`);
        assert.doesNotMatch(
          openapi.text,
          word,
          `${caller.name} ${name} ${openapi.text.slice(openapi.text.search(word) - 60).slice(0, 150)}`,
        );
        assert.doesNotMatch(schema.text, word, `${caller.name} ${name}`);
      }
      if (openapi.status !== 200) return;
      const { paths, components } = openapi.json;
      for (const { api, seen } of own) {
        const properties = Object.keys(components.schemas[`${api}.row`].properties);
        assert.deepEqual(properties.toSorted(), [...columnsSeen(seen), ...seen.relations].toSorted(), `${caller.name} ${api}`);
        const parameters: readonly string[] = paths[`/api/${api}`].get.parameters.map(({ name }: { name: string }) => name);
        for (const column of columnsOf({ seen })) {
          const given = parameters.filter((name) => name === column || name.startsWith(`${column}[`)).length;
          assert.equal(
            given,
            seen.use(column) === 'usable' ? factsOf(seen.types[column]!).operators.length : 0,
            `${caller.name} ${api} ${column}`,
          );
        }
      }
    });
  });
});
