import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTemporal } from '../../client/connection.ts';
import { temporalAddress } from '../servers.ts';

describe('a closed connection', function () {
  this.timeout(120_000);

  it('tries no call again when its server ends, so that nothing is thrown outside of any promise', async () => {
    const [host = '', port = ''] = (await temporalAddress()).split(':');
    const sockets = new Set<net.Socket>();
    const server = net.createServer((near) => {
      const far = net.connect(Number(port), host);
      for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
      near.pipe(far).pipe(near);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const temporal = await connectTemporal(`127.0.0.1:${address.port}`);
    const workflowId = `closed-${randomUUID()}`;
    const options = { workflowId, taskQueue: workflowId, workflowExecutionTimeout: '10s' };
    const handle = await temporal.client.workflow.start('none', options);
    const result = assert.rejects(handle.result());
    await temporal[Symbol.asyncDispose]();
    server.close();
    for (const socket of sockets) socket.destroy();
    await result;
    // Longer than the client waits before it tries a call again.
    await sleep(300);
  });
});
