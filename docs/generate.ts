import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { httpReference } from './http-reference.ts';
import { projectJsonSchema, projectReference } from './project-reference.ts';

const folder = new URL('./reference/', import.meta.url);

/** The generated pages by file name. */
const pages: Readonly<Record<string, string>> = {
  'project.schema.json': projectJsonSchema(),
  'project-file.md': projectReference(),
  'http-objects.md': httpReference(),
};

async function isStale(name: string, text: string): Promise<boolean> {
  return (await readFile(new URL(name, folder), 'utf8').catch(() => '')) !== text;
}

for (const [name, text] of Object.entries(pages)) {
  if (!(await isStale(name, text))) continue;
  if (process.argv.includes('--check')) {
    console.error(`${fileURLToPath(new URL(name, folder))} is not what the schemas say: run "npm run docs".`);
    process.exitCode = 1;
  } else {
    await writeFile(new URL(name, folder), text);
    console.log(`wrote docs/reference/${name}`);
  }
}
