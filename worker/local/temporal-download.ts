import { DefaultLogger, Runtime } from '@temporalio/worker';

// A program of its own: fetches Temporal's dev server by the SDK's download into the folder given, and ends the server that comes with it.
const [folder = '', version = ''] = process.argv.slice(2);

Runtime.install({ logger: new DefaultLogger('ERROR') });
const runtime = Runtime.instance();
try {
  const server = await runtime.createEphemeralServer({
    type: 'dev-server',
    exe: { type: 'cached-download', downloadDir: folder, version, ttl: 86_400_000, sdkName: 'sdk-typescript', sdkVersion: '' },
    namespace: 'default',
    ip: '127.0.0.1',
    port: null,
    uiPort: null,
    dbFilename: null,
    ui: false,
    log: { format: 'pretty', level: 'error' },
    extraArgs: [],
  });
  await runtime.shutdownEphemeralServer(server);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
process.exit();
