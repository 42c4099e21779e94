import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { checkDeclaration } from '../../connectors/template/declaration-rules.ts';
import { objectDeclarations } from '../../connectors/template/declaration.ts';
import { exampleProject } from '../../docs/http-reference.ts';
import { problems } from '../client/project-kit.ts';

describe('the page of declared APIs', () => {
  it('has an example that is a project file', async () => {
    assert.deepEqual(await problems(exampleProject), []);
    const { connections } = parse(exampleProject) as { connections: { loyalty: { objects: unknown } } };
    for (const [name, declared] of Object.entries(objectDeclarations.parse(connections.loyalty.objects))) checkDeclaration(declared, name);
  });
});
