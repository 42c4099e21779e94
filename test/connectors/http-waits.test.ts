import assert from 'node:assert/strict';
import type { HttpRequest } from '../../connectors/http/client.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import { waitOf } from '../../connectors/http/wait.ts';
import { attempt, clientOf, FakeClock, failsWith, json, startServer } from './http-kit.ts';

const write: HttpRequest = { method: 'POST', path: '/contacts', body: { a: 1 }, repeatable: false };
const now = Date.parse('2026-01-02T03:04:05Z');
const at = (seconds: number): number => now / 1000 + seconds;

describe('H1: asked to wait', () => {
  const forms: readonly (readonly [headers: Record<string, string>, wait: number])[] = [
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': '1.5' }, 1_500],
    [{ 'retry-after': 'Fri, 02 Jan 2026 03:04:09 GMT' }, 4_000],
    [{ 'retry-after': String(at(4)) }, 4_000],
    [{ 'retry-after': String(now + 2_500) }, 2_500],
    [{ 'retry-after-ms': '700' }, 700],
    [{ 'x-ms-retry-after-ms': '800', 'retry-after': '1' }, 800],
    [{ 'x-ratelimit-reset': String(at(5)) }, 5_000],
    [{ 'ratelimit-reset': '2' }, 2_000],
    [{ ratelimit: 'limit=100, remaining=0, reset=4' }, 4_000],
    [{ ratelimit: '"default";r=0;t=3' }, 3_000],
    // By their clock, which is an hour ahead.
    [{ 'retry-after': 'Fri, 02 Jan 2026 04:04:07 GMT', date: 'Fri, 02 Jan 2026 04:04:05 GMT' }, 2_000],
    [{ 'x-ratelimit-reset': String(at(3602)), date: 'Fri, 02 Jan 2026 04:04:05 GMT' }, 2_000],
  ];

  for (const [headers, wait] of forms) {
    it(`obeys ${JSON.stringify(headers)}: no request before time`, async () => {
      const clock = new FakeClock();
      const times: number[] = [];
      await using server = await startServer((_request, response, no) => {
        times.push(clock.now());
        response.sendDate = false;
        json(response, no === 1 ? 429 : 200, {}, no === 1 ? headers : {});
      });
      await using client = clientOf(server.url, { parts: { clock } });
      assert.equal((await client.request(write, attempt)).status, 200);
      const [first = 0, second = 0] = times;
      assert.ok(second - first >= wait && second - first < wait + 1_500, `${second - first}`);
    });
  }

  it('reads nothing into headers that make no sense', () => {
    for (const value of ['', 'soon', '-1', 'NaN', 'Infinity']) assert.equal(waitOf({ 'retry-after': value }, now), undefined, value);
    assert.equal(waitOf({ 'retry-after': 'Fri, 02 Jan 2026 03:04:01 GMT' }, now), 0, 'a date that is over');
  });

  it('without a header it waits longer each time, then gives the slot back', async () => {
    const clock = new FakeClock();
    await using server = await startServer((_request, response) => json(response, 429, {}));
    await using client = clientOf(server.url, { parts: { clock } });
    await assert.rejects(
      client.request(write, attempt),
      failsWith('rate-limited', ({ retryAfter = 0 }) => assert.ok(retryAfter >= 4_000 && retryAfter <= 10_000)),
    );
    assert.ok(server.received.length >= 2 && server.received.length <= 4);
  });

  for (const seconds of [30, 86_400]) {
    it(`gives the slot back for ${seconds} s`, async () => {
      const clock = new FakeClock();
      await using server = await startServer((_request, response) => json(response, 429, {}, { 'retry-after': String(seconds) }));
      await using client = clientOf(server.url, { parts: { clock } });
      await assert.rejects(
        client.request(write, attempt),
        failsWith('rate-limited', ({ retryAfter, message }) => {
          assert.equal(retryAfter, seconds * 1000);
          assert.match(message, /asks to wait \d+ s/);
        }),
      );
      assert.equal(server.received.length, 1);
      assert.deepEqual(clock.slept, []);
    });
  }

  it('a wait of more than a day is a clear error', async () => {
    await using server = await startServer((_request, response) => json(response, 429, {}, { 'retry-after': '90000' }));
    await using client = clientOf(server.url);
    await assert.rejects(
      client.request(write, attempt),
      failsWith('config', ({ message }) => assert.match(message, /longer than a day.*quota/)),
    );
  });

  it('all workers of the credential wait, others do not', async () => {
    const clock = new FakeClock();
    const context = memoryStores(clock);
    await using server = await startServer((_request, response, no) => json(response, no === 1 ? 429 : 200, {}, { 'retry-after': '20' }));
    const auth = { type: 'bearer', token: 'a' } as const;
    await using one = clientOf(server.url, { settings: { auth }, context, parts: { clock } });
    await using two = clientOf(server.url, { settings: { auth }, context, parts: { clock } });
    await using other = clientOf(server.url, { settings: { auth: { ...auth, token: 'b' } }, context, parts: { clock } });
    await assert.rejects(one.request(write, attempt), failsWith('rate-limited'));
    await assert.rejects(
      two.request(write, attempt),
      failsWith('rate-limited', ({ retryAfter = 0 }) => assert.ok(retryAfter > 19_000)),
    );
    assert.equal(server.received.length, 1);
    assert.equal((await other.request(write, attempt)).status, 200);
    clock.pass(20_000);
    assert.equal((await two.request(write, attempt)).status, 200);
  });

  it("knows the vendor's own forms", async () => {
    const clock = new FakeClock();
    await using server = await startServer((_request, response, no) =>
      json(response, no === 1 ? 403 : 200, [{ errorCode: 'REQUEST_LIMIT_EXCEEDED' }]),
    );
    const throttled = ({ status, text }: { status: number; text: string }): number | undefined =>
      status === 403 && text.includes('REQUEST_LIMIT_EXCEEDED') ? 2_000 : undefined;
    await using client = clientOf(server.url, { options: { throttled }, parts: { clock } });
    assert.equal((await client.request(write, attempt)).status, 200);
    assert.deepEqual(clock.slept, [2_000]);
  });

  it('waits before the limit is met where an answer says that nothing is left', async () => {
    const clock = new FakeClock();
    await using server = await startServer((_request, response) =>
      json(response, 200, {}, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4', date: new Date(clock.now()).toUTCString() }),
    );
    await using client = clientOf(server.url, { parts: { clock } });
    await client.request(write, attempt);
    const before = clock.now();
    await client.request(write, attempt);
    assert.ok(clock.now() - before >= 4_000);
  });

  it('503 with Retry-After: a read waits, a write may have had its effect', async () => {
    const clock = new FakeClock();
    await using server = await startServer((_request, response, no) => json(response, no <= 2 ? 503 : 200, {}, { 'retry-after': '3' }));
    await using client = clientOf(server.url, { parts: { clock } });
    await assert.rejects(client.request(write, attempt), failsWith('unknown'));
    const before = clock.now();
    assert.equal((await client.request({ ...write, method: 'GET', repeatable: true }, attempt)).status, 200);
    assert.ok(clock.now() - before >= 6_000, 'the pause that the write was told counts too');
  });

  it('a request that goes out once has ended within the time that the client names', async () => {
    const clock = new FakeClock();
    const begun = clock.now();
    await using server = await startServer((_request, response) => {
      clock.pass(1_000);
      json(response, 429, {}, { 'retry-after': '2' });
    });
    await using client = clientOf(server.url, { settings: { rate: '10 per 10s' }, parts: { clock } });
    await assert.rejects(client.request(write, attempt), failsWith('rate-limited'));
    assert.ok(clock.now() - begun < client.requestTimeout);
  });
});
