import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';
import { failureConverterPath } from '../client/payload-codec.ts';

/** Do failures of workflows carry their message in clear, or in a payload that the codec encrypts? A bundle holds one way. */
export type Failures = 'clear' | 'encoded';

const isSource = import.meta.url.endsWith('.ts');
const workflowsPath = fileURLToPath(new URL(isSource ? '../workflows/index.ts' : '../workflows/index.js', import.meta.url));
const names: Readonly<Record<Failures, string>> = { clear: 'workflow-bundle.js', encoded: 'workflow-bundle-encoded.js' };
const bundlePath = (failures: Failures): string =>
  fileURLToPath(new URL(`${isSource ? '../dist' : '..'}/${names[failures]}`, import.meta.url));

/** Bundles the workflows; 3 to 5 seconds. */
export async function bundle(failures: Failures = 'clear'): Promise<{ code: string }> {
  const converter = failures === 'encoded' ? { failureConverterPath } : {};
  return await bundleWorkflowCode({ workflowsPath, ...converter, logger: new DefaultLogger('WARN') });
}

/** The prebuilt bundle of a package; from source the workflows are bundled anew. */
export async function workflowBundle(failures: Failures): Promise<WorkflowBundleOption> {
  const codePath = bundlePath(failures);
  return !isSource && existsSync(codePath) ? { codePath } : await bundle(failures);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(fileURLToPath(new URL('../dist/', import.meta.url)), { recursive: true });
  for (const failures of ['clear', 'encoded'] as const) await writeFile(bundlePath(failures), (await bundle(failures)).code);
}
