import { payloadCodec } from '../payload-codec.ts';
import { readPayloadKeys } from '../payload-keys.ts';
import type { Output } from './output.ts';
import type { OpenProject } from './project.ts';
import type { Connected } from './servers.ts';

/** The same page by name and by number. */
function originsOf(ui: string | undefined): readonly string[] {
  if (ui === undefined || !URL.canParse(ui)) return [];
  const { origin } = new URL(ui);
  return [...new Set([origin, origin.replace('//127.0.0.1', '//localhost'), origin.replace('//localhost', '//127.0.0.1')])];
}

/** Where payloads are encrypted: an endpoint that decrypts them for the Temporal UI on this machine, and how to use it. Else undefined. */
export async function serveCodec(project: OpenProject, connected: Connected, output: Output): Promise<AsyncDisposable | undefined> {
  const keys = await readPayloadKeys(process.env);
  if (keys === undefined) return undefined;
  const { openCodecEndpoint } = await import('../../worker/codec-endpoint.ts');
  const { stateFolder } = project.loaded;
  const endpoint = await openCodecEndpoint({ codec: payloadCodec(keys), origins: originsOf(connected.ui), stateFolder });
  output.line(`Payloads are encrypted with key ${keys.current}. To read them in the Temporal UI, open its codec settings (the`);
  output.line(`glasses at the top right), and enter once as Codec Server browser endpoint: ${endpoint.address}`);
  output.line(`On the command line: temporal --codec-endpoint ${endpoint.bareAddress} --codec-auth 'Bearer ${endpoint.token}' …`);
  return endpoint;
}
