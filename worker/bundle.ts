import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';

const isSource = import.meta.url.endsWith('.ts');
const workflowsPath = fileURLToPath(new URL(isSource ? '../workflows/index.ts' : '../workflows/index.js', import.meta.url));
const bundlePath = fileURLToPath(new URL(isSource ? '../dist/workflow-bundle.js' : '../workflow-bundle.js', import.meta.url));

/** Bundles the workflows; 3 to 5 seconds. */
export async function bundle(): Promise<{ code: string }> {
  return await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
}

/** The prebuilt bundle of a package; from source the workflows are bundled anew. */
export async function workflowBundle(): Promise<WorkflowBundleOption> {
  return !isSource && existsSync(bundlePath) ? { codePath: bundlePath } : await bundle();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { code } = await bundle();
  await mkdir(fileURLToPath(new URL('../dist/', import.meta.url)), { recursive: true });
  await writeFile(bundlePath, code);
}
