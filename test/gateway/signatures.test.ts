import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { verifySignature } from '../../gateway/signatures/verify.ts';
import type { SignatureSettings } from '../../schema/signature.ts';
import { openIngestGateway } from '../kits/ingest.ts';

interface Case {
  readonly settings: SignatureSettings;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly now: number;
  readonly path?: string;
}

const stripeBody = '{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event"}';
const stripeSignature = '88488ba79d3989d64b42f02cb6ea706feca75243987d0b43e1b59c82183ad39b';
const hubspotBody =
  '[{"eventId":100,"subscriptionId":250327,"portalId":62515,"occurredAt":1564113600000,"objectId":123,"attemptNumber":0}]';

/** GitHub's is from its documentation; the others were made by another implementation of HMAC, as the vendors document them. */
const cases: Readonly<Record<SignatureSettings['kind'], Case>> = {
  github: {
    settings: { kind: 'github', secret: "It's a Secret to Everybody" },
    headers: { 'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
    body: 'Hello, World!',
    now: 0,
  },
  stripe: {
    settings: { kind: 'stripe', secret: 'whsec_test_secret' },
    headers: { 'stripe-signature': `t=1686089970,v1=${'0'.repeat(64)},v1=${stripeSignature},v0=6ffbb5` },
    body: stripeBody,
    now: 1686089970_000 + 60_000,
  },
  hubspot: {
    settings: { kind: 'hubspot', secret: 'app-secret' },
    headers: {
      'x-hubspot-request-timestamp': '1564113600000',
      'x-hubspot-signature-v3': '64Lh3KDnhwK8PAz4qnnLmnt67MFLLUJ+uSawa8STC0Y=',
      host: 'www.example.com',
    },
    body: hubspotBody,
    now: 1564113600000,
    path: '/ingest/crm?x=a%3Ab',
  },
  hmac: {
    settings: { kind: 'hmac', secret: 's', header: 'X-Sig', algorithm: 'sha512', encoding: 'base64' },
    headers: { 'x-sig': 'IEbNQjavyRdXNFlyLOdPB3G2mAzBGKciMK4IM/1gsT7jCtn2rEp40CdVx0AlP3FmetQShUEP1AK71W3rdLENOw==' },
    body: 'body',
    now: 0,
  },
};

function verify({ settings, headers, body, now, path = '/ingest/x' }: Case): void {
  verifySignature(settings, { method: 'POST', path, headers, body: Buffer.from(body), now });
}

const refused = { status: 401, message: 'The signature is missing, wrong or too old.' };

describe('signatures of vendors', () => {
  for (const [kind, one] of Object.entries(cases)) {
    describe(kind, () => {
      it('are accepted when they are right', () => verify(one));

      it('are refused without a word on why: another body, secret or signature, or none', () => {
        assert.throws(() => verify({ ...one, body: `${one.body} ` }), refused);
        assert.throws(() => verify({ ...one, settings: { ...one.settings, secret: 'other' } }), refused);
        assert.throws(() => verify({ ...one, headers: {} }), refused);
        for (const value of ['', 'x', 'sha256=', 't=1,v1=', '='.repeat(99), 'é']) {
          const headers = Object.fromEntries(Object.keys(one.headers).map((name) => [name, value]));
          assert.throws(() => verify({ ...one, headers }), refused, value);
        }
      });
    });
  }

  it('that sign the moment are refused when they are too old, or of the future', () => {
    for (const one of [cases.stripe, cases.hubspot]) {
      for (const late of [-400_000, 400_000]) assert.throws(() => verify({ ...one, now: one.now + late }), refused);
      verify({ ...one, now: one.now + 400_000, settings: { ...one.settings, tolerance: '1 hour' } });
    }
  });

  it('stand for the token of a connection, and the vendor’s id for the key', async () => {
    const verifying = { verify: { kind: 'github', secret: "It's a Secret to Everybody" } };
    await using gateway = await openIngestGateway({ settings: verifying, schema: { type: 'object', properties: { action: {} } } });
    const { createHmac } = await import('node:crypto');
    const body = '{"action":"opened"}';
    const signature = `sha256=${createHmac('sha256', "It's a Secret to Everybody").update(body).digest('hex')}`;
    const headers = { 'x-hub-signature-256': signature, 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' };
    assert.equal((await gateway.post(body, headers)).body.accepted, 1);
    assert.equal((await gateway.post(body, headers)).body.duplicates, 1);
    assert.equal((await gateway.post(body)).status, 401);
    assert.equal((await gateway.post(body, { ...headers, 'x-hub-signature-256': `${signature.slice(0, -1)}x` })).status, 401);
  });
});
