import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { grantOf, missingClaims } from '../../client/command-line/token-grant.ts';
import { toDefinitions } from '../../client/project/definitions.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { run, type Ended, type Place } from './command-kit.ts';
import { load } from './project-kit.ts';

const project = `project: tokens
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
models:
  plans: { sql: SELECT 1 AS id, warehouse: warehouse }
gateway: { triggers: { refresh: { run: plans } } }
apis:
  customers:
    dataset: marts.customers
    key: id
    roles:
      support: { fields: all, rows: "region = ANY(\${claim:regions}) AND team = \${claim:team}" }
      anonymous: { fields: [id] }
  orders: { dataset: marts.orders, key: id, roles: { support: { fields: all, rows: "team = \${claim:team}" } } }
`;

const day = 86_400_000;
const now = new Date('2026-11-23T12:00:00Z');

describe('millrace token', () => {
  let gateway: GatewayDefinition;
  const grant = (asked: Partial<Parameters<typeof grantOf>[1]>) => grantOf(gateway, { expires: '90d', ...asked }, now);
  const refused = (asked: Partial<Parameters<typeof grantOf>[1]>, message: RegExp): void => {
    assert.throws(() => grant(asked), { code: 'config', message });
  };

  before(async () => {
    const { gateway: found } = toDefinitions(await load(project));
    assert.ok(found);
    gateway = found;
  });

  it('gives a role the scopes to read, for 90 days', () => {
    assert.deepEqual(grant({ role: 'support' }), {
      name: 'support',
      role: 'support',
      scopes: ['api', 'changes'],
      claims: {},
      expiresAt: new Date(now.getTime() + 90 * day),
    });
  });

  it('takes scopes, a name and a time, and a claim that comes twice as a list', () => {
    const claim = ['team=a=b', 'regions=emea', 'regions=apac'].map((text) => ({
      left: text.slice(0, text.indexOf('=')),
      right: text.slice(text.indexOf('=') + 1),
    }));
    const { expiresAt, ...rest } = grant({
      role: 'support',
      scope: ['api:orders', 'trigger:refresh'],
      claim,
      expires: 'never',
      name: 'desk',
    });
    assert.equal(expiresAt, undefined);
    assert.deepEqual(rest, {
      name: 'desk',
      role: 'support',
      scopes: ['api:orders', 'trigger:refresh'],
      claims: { team: 'a=b', regions: ['emea', 'apac'] },
    });
    assert.equal(grant({ scope: ['trigger:refresh'], expires: '12h' }).expiresAt?.getTime(), now.getTime() + day / 2);
  });

  it('refuses what the project does not have, with the nearest name', () => {
    refused({ role: 'suport' }, /has a role "suport"\. Did you mean "support"\?/);
    refused({ role: 'anonymous' }, /callers without a token/);
    refused({ role: 'support', scope: ['api:order'] }, /names "order", which is not there\. Did you mean "orders"\?/);
    refused({ scope: ['trigger:refrsh'] }, /Did you mean "refresh"\?/);
    refused({ scope: ['trigger'] }, /There is no scope "trigger"/);
    refused({ scope: ['admin'] }, /There is no scope "admin"/);
    refused({}, /Give --role for a token that reads, or --scope for one that posts/);
    refused({ scope: ['api'] }, /what is seen goes by the role: give --role/);
    refused({ scope: ['changes', 'ingest'] }, /give --role/);
    refused({ role: 'support', expires: 'soon' }, /--expires is soon: it must be a duration such as 90d/);
  });

  it('makes none for events that their sender signs: it would open nothing', async () => {
    const taking = (settings: string): string =>
      project.replace(
        'models:',
        `  payments: { type: ingest, schema: ./event.json, verify: { kind: stripe, secret: "\${env:STRIPE_SECRET}" } }
  clicks: { type: ingest, schema: ./event.json${settings} }
pipelines:
  payments: { from: payments, to: warehouse.landed, streams: { payments: { mode: append } } }
  clicks: { from: clicks, to: warehouse.landed, streams: { clicks: { mode: append } } }
models:`,
      );
    const grantIn = async (text: string, scope: string) => {
      const { gateway: found } = toDefinitions(await load(text));
      assert.ok(found);
      return grantOf(found, { scope: [scope], expires: '90d' }, now);
    };
    const signs = /Events of payments are taken with the signature of their sender .* no token is needed there.*\/ingest\/payments/;
    await assert.rejects(grantIn(taking(''), 'ingest:payments'), { code: 'config', message: signs });
    assert.deepEqual((await grantIn(taking(''), 'ingest:clicks')).scopes, ['ingest:clicks']);
    assert.deepEqual((await grantIn(taking(''), 'ingest')).scopes, ['ingest']);
    const allSigned = taking(', verify: { kind: github, secret: "${env:GITHUB_SECRET}" }');
    await assert.rejects(grantIn(allSigned, 'ingest'), { code: 'config', message: /Events of payments, clicks are taken/ });
  });

  it('knows the claims that rows go by and a token lacks', () => {
    const claim = [{ left: 'regions', right: 'emea' }];
    assert.deepEqual([...missingClaims(gateway.apis, grant({ role: 'support', claim }))], [['team', ['customers', 'orders']]]);
    assert.deepEqual([...missingClaims(gateway.apis, grant({ scope: ['trigger:refresh'] }))], []);
  });

  describe('by command', function () {
    this.timeout(240_000);
    let place: Place;
    let warehouse: string;

    const succeeded = ({ code, stdout, stderr }: Ended): string => {
      assert.equal(code, 0, stdout + stderr);
      return stdout;
    };

    before(async () => {
      warehouse = await createDatabase('command_token');
      place = { folder: await mkdtemp(join(tmpdir(), 'millrace-command-token-')), environment: { WAREHOUSE_URL: warehouse } };
      await writeFile(join(place.folder, 'millrace.yaml'), project);
    });
    after(async () => {
      await dropDatabase(warehouse);
      await rm(place.folder, { recursive: true, force: true });
    });

    it('prints a token once, alone on standard output; the books have its hash, and the audit log who made and revoked it', async () => {
      const made = await run(place, 'token', 'create', '--role', 'support', '--claim', 'regions=emea', '--name', 'desk');
      const token = succeeded(made);
      assert.match(token, /^mr_[0-9A-Za-z]{13}_[0-9A-Za-z]{43}\n$/);
      assert.match(made.stderr, /desk: api changes as support, until 20/);
      assert.match(made.stderr, /Rows of customers, orders go by the claim "team".*Give --claim team=…/);
      const [, id = '', secret = ''] = token.trim().split('_');
      const asData = JSON.parse(
        succeeded(await run(place, 'token', 'create', '--scope', 'trigger:refresh', '--expires', 'never', '--json')),
      );
      assert.match(asData.token, /^mr_/);
      assert.deepEqual(asData.scopes, ['trigger:refresh']);

      const listed = await run(place, 'token', 'list');
      assert.match(succeeded(listed), new RegExp(`${id} +desk +support +api changes +regions=emea .* live, expires in 90 days`));
      const tables = await sql(warehouse, 'SELECT to_jsonb(t)::text AS kept FROM _millrace.api_tokens t');
      for (const text of [JSON.stringify(tables), listed.stdout]) assert.ok(!text.includes(secret));

      assert.match(succeeded(await run(place, 'token', 'revoke', 'desk')), new RegExp(`desk \\(${id}\\) is revoked`));
      const [again, json, audit, verified] = await Promise.all([
        run(place, 'token', 'revoke', 'desk'),
        run(place, 'token', 'list', '--json'),
        run(place, 'audit', '--json'),
        run(place, 'audit', '--verify'),
      ]);
      assert.ok(again && json && audit && verified);
      assert.equal(again.code, 2);
      assert.match(again.stderr, /There is no live token "desk"/);
      const tokens: { id: string; state: string; hash?: string }[] = JSON.parse(succeeded(json));
      assert.deepEqual(
        new Map(tokens.map((one) => [one.id, one.state])),
        new Map([
          [asData.id, 'live'],
          [id, 'revoked'],
        ]),
      );
      for (const one of tokens) assert.equal(one.hash, undefined);
      const entries: { action: string; actor: string; target: string }[] = JSON.parse(succeeded(audit));
      assert.deepEqual(
        entries.map(({ action, target }) => [action, target]),
        [
          ['token.revoke', id],
          ['token.create', asData.id],
          ['token.create', id],
        ],
      );
      for (const { actor } of entries) assert.ok(actor.startsWith(`${userInfo().username}@`));
      assert.match(succeeded(verified), /is whole: 3 entries/);
    });

    it('explains itself, and names what it does not know', async () => {
      const [alone, unknown, help] = await Promise.all([
        run(place, 'token'),
        run(place, 'token', 'craete'),
        run(place, 'token', 'create', '--help'),
      ]);
      assert.ok(alone && unknown && help);
      assert.deepEqual([alone.code, unknown.code, help.code], [2, 2, 0]);
      assert.match(unknown.stderr, /unknown command 'craete'\s+\(Did you mean create\?\)/);
      assert.match(help.stdout, /Examples:\n +millrace token create --role/);
    });
  });
});
