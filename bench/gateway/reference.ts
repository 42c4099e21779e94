// node --import tsx bench/gateway/reference.ts: what the same requests cost by a bare handler. WAREHOUSE_URL; prints its address.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env['WAREHOUSE_URL'], max: 10 });

const columns = `customer_id, name, CASE WHEN email IS NULL THEN NULL ELSE '***' END AS email, plan, health_score, revenue, region, updated_at`;
const list = `SELECT ${columns} FROM marts.customers WHERE region = $1 AND plan = $2 AND customer_id > $3 ORDER BY customer_id LIMIT 10`;
const get = `SELECT ${columns} FROM marts.customers WHERE region = $1 AND customer_id = $2`;
const items = `SELECT coalesce(json_agg(json_build_object('item_id', item_id, 'sku', sku, 'quantity', quantity)), '[]')
  FROM (SELECT * FROM marts.items i WHERE i.order_id = o.order_id ORDER BY item_id LIMIT 3) i`;
const orders = `SELECT coalesce(json_agg(json_build_object('order_id', order_id, 'total', total::text, 'items', json_build_object('nodes', (${items})))), '[]')
  FROM (SELECT * FROM marts.orders o WHERE o.customer_id = c.customer_id ORDER BY order_id LIMIT 3) o`;
const tree = `SELECT json_build_object('data', json_build_object('customers', json_build_object('nodes', coalesce(json_agg(
    json_build_object('customer_id', customer_id, 'name', name, 'orders', json_build_object('nodes', (${orders})))), '[]'))))::text AS json
  FROM (SELECT * FROM marts.customers WHERE region = $1 AND customer_id > $2 ORDER BY customer_id LIMIT 5) c`;

type Handler = (url: URL) => Promise<string>;
const handlers: Readonly<Record<string, Handler>> = {
  '/list': async ({ searchParams }) => {
    const values = ['EU', searchParams.get('plan'), searchParams.get('after')];
    return JSON.stringify({ data: (await pool.query({ name: 'list', text: list, values })).rows });
  },
  '/get': async ({ searchParams }) =>
    JSON.stringify((await pool.query({ name: 'get', text: get, values: ['EU', searchParams.get('id')] })).rows[0] ?? null),
  '/tree': async ({ searchParams }) =>
    (await pool.query<{ json: string }>({ name: 'tree', text: tree, values: ['EU', searchParams.get('after')] })).rows[0]?.json ?? '',
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const handle = handlers[url.pathname];
  void handle?.(url).then(
    (body) => response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body),
    () => response.writeHead(500).end(),
  );
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', () => process.exit(0));
