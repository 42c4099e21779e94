import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = new URL('../', import.meta.url);

/** Licences that ask for a notice at most. */
const permissive: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-4.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
  'Zlib',
]);

/** Packages that say their licence in a file only. */
const inFile: Readonly<Record<string, string>> = { unionfs: 'Unlicense' };

const lockfile = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({ license: z.string().optional(), dev: z.boolean().optional(), devOptional: z.boolean().optional() }),
  ),
});
const manifest = z.looseObject({ license: z.string().optional() });

/** A package that users install, with the licence that it names. */
export interface Licensed {
  readonly name: string;
  readonly licence: string;
}

/** Does an SPDX expression leave a choice of permissive licences only? One of those joined by OR is enough, all of those joined by AND are needed. */
export function isPermissive(expression: string): boolean {
  const alternatives = expression.replaceAll(/[()]/g, '').split(/\s+OR\s+/);
  return alternatives.some((alternative) => alternative.split(/\s+AND\s+/).every((licence) => permissive.has(licence.trim())));
}

/** Reads what an installed package says; one for another platform is known from the lockfile. */
async function licenceOf(path: string, locked: string | undefined): Promise<string> {
  const text = await readFile(new URL(`${path}/package.json`, root), 'utf8').catch(() => '{}');
  const name = path.split('node_modules/').at(-1) ?? path;
  return manifest.parse(JSON.parse(text)).license ?? locked ?? inFile[name] ?? 'none named';
}

/** Every package that users install with Millrace, dependencies of dependencies included. */
export async function runtimeLicences(): Promise<readonly Licensed[]> {
  const { packages } = lockfile.parse(JSON.parse(await readFile(new URL('package-lock.json', root), 'utf8')));
  const installed = Object.entries(packages).filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true);
  return await Promise.all(
    installed.map(async ([path, { license }]) => ({
      name: path.replace(/^node_modules\//, ''),
      licence: await licenceOf(path, license),
    })),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const all = await runtimeLicences();
  const refused = all.filter(({ licence }) => !isPermissive(licence));
  for (const { name, licence } of refused) console.error(`${name}: ${licence} is not a licence that users of Millrace may be given`);
  if (refused.length > 0) process.exitCode = 1;
  else if (process.argv.includes('--list')) for (const { name, licence } of all) console.log(`${name}: ${licence}`);
}
