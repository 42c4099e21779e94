import { useWarehouse } from '../kits/postgres-warehouse.ts';
import { warehouseKit } from '../kits/warehouse.ts';

describe('PostgreSQL as warehouse', () => {
  const under = useWarehouse();
  warehouseKit({
    get warehouse() {
      return under.warehouse;
    },
    state: async () => await under.state(),
    orders: async (columns) => await under.rows(`SELECT ${columns} FROM shop.orders ORDER BY ${columns}`),
  });
});
