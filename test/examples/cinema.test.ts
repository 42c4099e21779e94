import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertBooksBalance } from '../kits/books.ts';
import { startHubspot, type HubspotFake } from '../fakes/hubspot.ts';
import { effectsOf, openExample, recordsOf, type Example } from './example-kit.ts';

const publicData = fileURLToPath(new URL('../../node_modules/vega-datasets/data', import.meta.url));

describe('the example cinema', function () {
  this.timeout(240_000);
  let example: Example;
  let crm: HubspotFake;

  before(async () => {
    crm = await startHubspot();
    const more = { PUBLIC_DATA: publicData, HUBSPOT_URL: crm.url, HUBSPOT_TOKEN: 'pat-fake' };
    example = await openExample('cinema', { source: 'TICKETS_URL', more });
  });

  after(async () => {
    await assertBooksBalance(example.warehouseUrl);
    await Promise.all([example, crm].map((open) => open[Symbol.asyncDispose]()));
  });

  const takings = async (): Promise<string[]> =>
    (await example.warehouse('SELECT * FROM marts.genre_takings ORDER BY takings DESC')).map((row) => Object.values(row).join(' '));

  it('cleans the public file: what is loaded, dropped and refused, and why', async () => {
    const outcome = await example.run('films');
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const { read, loaded, rejected, duplicates } = outcome.report?.streams[0] ?? {};
    assert.deepEqual({ read, loaded, rejected, duplicates }, { read: 3201, loaded: 3177, rejected: 24, duplicates: 0 });
    const reasons = await example.warehouse(
      `SELECT "column", rule, count(*) AS rows FROM _millrace.rejections WHERE pipeline = 'films' GROUP BY 1, 2 ORDER BY 3 DESC, 1`,
    );
    assert.deepEqual(
      reasons.map((reason) => Object.values(reason).join(' ')),
      ['released max 22', 'budget min 1', 'title not_null 1'],
    );
    assert.deepEqual(
      await example.warehouse(
        `SELECT released, genre, distributor, budget, gross, rating, certificate FROM films.films WHERE title = 'Up'`,
      ),
      [
        {
          released: '2009-05-29',
          genre: 'Adventure',
          distributor: 'Walt Disney Pictures',
          budget: '175000000.00',
          gross: '731304609.00',
          rating: '8.4',
          certificate: 'PG',
        },
      ],
    );
  });

  it('builds what each genre earns from the tickets and the films', async () => {
    const outcome = await example.run('tickets');
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual(await takings(), [
      'Action 4 20000 1791000 17014500.00 8.6',
      'Adventure 3 15000 1343610 12764295.00 8.3',
      'Thriller/Suspense 2 10000 895600 8508200.00 7.9',
      'unknown 1 5000 447590 4252105.00 ',
    ]);
  });

  it('reads only what changed the second time, and builds the table again', async () => {
    await example.source(`
      UPDATE screenings SET tickets = tickets + 1, takings = takings + 9.50, updated_at = now() WHERE id % 500 = 0;
      INSERT INTO screenings (cinema_id, title, released, shown_at, tickets, takings)
      SELECT 1, 'Fargo', '1996-03-08', now(), 42, 399.00 FROM generate_series(1, 25)`);
    const outcome = await example.run('tickets');
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const screenings = outcome.report?.streams.find(({ stream }) => stream === 'screenings');
    assert.deepEqual([screenings?.read, screenings?.loaded], [125, 125]);
    assert.equal((await takings())[2]?.startsWith('Thriller/Suspense 2 10025 '), true);
    const sums = 'SELECT count(*), sum(tickets) AS tickets, sum(takings) AS takings, max(id) AS last FROM ';
    assert.deepEqual(await example.warehouse(`${sums} tickets.screenings`), await example.source(`${sums} screenings`));
  });

  it("brings the cinemas' figures to their managers' contacts, and keeps the one that is refused until it is mended", async () => {
    const model = await readFile(join(example.folder, 'models', 'manager-figures.sql'), 'utf8');
    const [first] = await example.warehouse(`SELECT takings, best_film FROM (${model}) m WHERE cinema_id = 1`);
    assert.equal((await example.runAll('managers'))?.rejected, 1);
    assert.equal(crm.effects.length, 11);
    const contacts = recordsOf(crm, 'contacts', 'email', 'firstname', 'company', 'lifetime_value', 'segment');
    const figures = `${Number(first?.['takings'])} ${first?.['best_film']}`;
    assert.ok(contacts.includes(`manager-1@cinema.example Manager 1 Cinema 1 ${figures}`), contacts.join('\n'));
    const [refused = ''] = await example.refused('managers');
    assert.match(refused, /^7: .*INVALID_EMAIL/);
    await example.source(`UPDATE managers SET email = 'manager-7@cinema.example', updated_at = now() WHERE cinema_id = 7`);
    await example.runAll('tickets', 'managers');
    assert.deepEqual(effectsOf(crm, 'contacts', 11), ['create manager-7@cinema.example']);
    assert.deepEqual(await example.refused('managers'), []);
  });
});
