/** A gateway of events in a process of its own: `ingest-gateway.ts <JSON of IngestGatewayPlace>`. Prints its port. */
import { Client, Connection } from '@temporalio/client';
import { ingestWaker } from '../../client/wake-ingest.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { ingestContext, ingestServer } from '../kits/ingest.ts';

export interface IngestGatewayPlace {
  readonly staging: string;
  readonly temporal: string;
  readonly definition: PipelineDefinition;
}

const place = JSON.parse(process.argv[2] ?? '') as IngestGatewayPlace;
const { definition, staging } = place;
const client = new Client({ connection: Connection.lazy({ address: place.temporal }) });
const wake = ingestWaker(client, [{ definition, hash: 'one' }]);
const server = await ingestServer(ingestContext(definition.from, { project: definition.project, staging, wake }));
await server.listen({ host: '127.0.0.1', port: 0 });
const [listening] = server.addresses();
console.log(typeof listening === 'object' ? listening.port : '');
