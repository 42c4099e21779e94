import assert from 'node:assert/strict';
import { toDefinitions } from '../../client/project/definitions.ts';
import { loadProject } from '../../client/project/load.ts';
import { folderWith, problems } from './project-kit.ts';

const project = (auth: string, url = '"${env:CRM_URL}"'): string => `project: acme
connections:
  crm: { type: salesforce, url: ${url}, auth: { type: jwt-bearer, client_id: abc, user: me@acme.com, ${auth} } }
`;

async function only(text: string): Promise<string> {
  const found = await problems(text);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] ?? '';
}

describe('project file: secrets of applications', () => {
  it('stand as references only, however deep, and are not in the message', async () => {
    for (const value of ['hunter2', '${env:KEY:-hunter2}', 'hunter2${env:KEY}']) {
      const message = await only(project(`private_key: "${value}"`));
      assert.match(
        message,
        /millrace\.yaml:3:\d+: connections\.crm\.auth\.private_key holds a secret\. Put it into \.env as CRM_PRIVATE_KEY=…, and write "\$\{env:CRM_PRIVATE_KEY\}"/,
      );
      assert.doesNotMatch(message, /hunter2/);
    }
    assert.match(await only(project('private_key: "${KEY}"')), /auth\.private_key has a reference that is none/);
    assert.deepEqual(await problems(project('private_key: "${env:KEY}"')), []);
  });

  it('in files are found from the folder of the project', async () => {
    await using folder = await folderWith({ 'millrace.yaml': project('private_key: "${file:secrets/crm.pem}"') });
    const { settings } = toDefinitions(await loadProject({ cwd: folder.path })).connections.get('crm') ?? {};
    assert.deepEqual(settings?.['auth'], {
      type: 'jwt-bearer',
      client_id: 'abc',
      user: 'me@acme.com',
      private_key: `\${file:${folder.path}/secrets/crm.pem}`,
    });
  });

  it('the form of what a reference stands for is left to the worker, that of a value is not', async () => {
    assert.deepEqual(await problems(project('private_key: "${env:KEY}"')), []);
    assert.match(await only(project('private_key: "${env:KEY}"', 'acme')), /connections\.crm\.url must be an org's address/);
  });

  it('a header may say how its reference is sent', async () => {
    const text = (header: string) => `project: acme
connections:
  crm: { type: hubspot, token: "${header}" }
`;
    assert.deepEqual(await problems(text('Bearer ${env:TOKEN}')), []);
    assert.match(await only(text('Bearer abc')), /token holds a secret/);
  });
});
