const fields = 'plan, health_score, churn_risk, revenue, country';

/** The model that is sent, and a piece of it. */
export const customersSql = `select email, ${fields} from public.customers`;
export const limitedRows = 72_000;
export const limitedSql = `select email, ${fields} from public.customers where id <= ${limitedRows}`;

/** The measured pipelines and syncs, as a user would write them. */
export const projectFile = `
project: bench
connections:
  source: { type: postgres, url: "\${env:SOURCE_URL}" }
  drops: { type: files, path: ./drops }
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  crm: { type: hubspot, token: "\${env:CRM_TOKEN}", url: "\${env:CRM_URL}", allow_private: true, rate: 100000 per 10s }
  limited_crm: { type: hubspot, token: "\${env:CRM_TOKEN}", url: "\${env:CRM_URL}", allow_private: true }
pipelines:
  full: { from: source, to: warehouse.full_copy, streams: { orders: { mode: replace } } }
  pushdown:
    from: source
    to: warehouse.pushdown
    streams:
      orders:
        mode: replace
        transform:
          - trim: [customer]
          - nullif: { columns: [email], values: ["N/A"] }
          - rename: { note: remark }
  transform:
    from: source
    to: warehouse.transformed
    streams:
      orders:
        mode: replace
        transform:
          - cast: { quantity: bigint, order_date: timestamp }
          - trim: [customer]
          - expect: { amount: { min: 0 }, customer: { not_null: true } }
  dedupe:
    from: source
    to: warehouse.deduped
    streams:
      orders:
        mode: replace
        transform:
          - dedupe: { key: [order_uid], order: [updated_at desc, id] }
  merge: { from: source, to: warehouse.merged, streams: { orders: { mode: merge, key: id, cursor: updated_at } } }
  csv:
    from: drops
    to: warehouse.csv
    streams:
      orders.csv:
        mode: replace
        key: id
        transform:
          - trim: [customer]
          - nullif: { columns: [email], values: ["N/A"] }
          - cast:
              id: bigint
              order_uid: uuid
              amount: "numeric(14,2)"
              quantity: integer
              active: boolean
              order_date: date
              created_at: timestamptz
              updated_at: timestamptz
              attrs: jsonb
          - dedupe: { key: [id], order: [updated_at desc, _line] }
  small: { from: source, to: warehouse.small, streams: { tiny: { mode: replace } } }
models:
  customers:
    sql: ${customersSql}
    warehouse: warehouse
    key: email
  limited_customers:
    sql: ${limitedSql}
    warehouse: warehouse
    key: email
syncs:
  contacts: { from: customers, to: crm.contacts, mode: upsert, map: [${fields}] }
  limited: { from: limited_customers, to: limited_crm.contacts, mode: upsert, map: [${fields}] }
`;
