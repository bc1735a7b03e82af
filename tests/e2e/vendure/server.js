'use strict';
// A real Vendure server for tests: in memory, a few products, a restricted API key, signed webhooks.
// Prints one JSON line with what a client needs, then READY.
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
require('reflect-metadata');
const core = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

process.env.VENDURE_DISABLE_TELEMETRY = '1';
const PORT = Number(process.env.PORT || 3000);
const WEBHOOK = { url: process.env.HUB_WEBHOOK_URL, secret: process.env.HUB_WEBHOOK_SECRET };
const PRODUCTS = (process.env.HUB_PRODUCTS || 'CAM-X1:10,LENS-50:5,BAG-1:7').split(',').map((each) => each.split(':'));
const ADMIN = { identifier: 'superadmin', password: 'superadmin' };

const serialized = new core.FulfillmentHandler({
  code: 'serialized-fulfillment',
  description: [{ languageCode: core.LanguageCode.en, value: 'A fulfillment that names serial numbers' }],
  args: {
    method: { type: 'string', required: false },
    trackingCode: { type: 'string', required: false },
    serials: { type: 'string', list: true, required: false },
  },
  createFulfillment: (ctx, orders, lines, args) => ({
    method: args.method || 'manual',
    trackingCode: args.trackingCode || '',
    customFields: { serials: args.serials || [] },
  }),
});

class HubWebhooks {
  constructor(eventBus) {
    this.eventBus = eventBus;
  }

  onApplicationBootstrap() {
    if (!WEBHOOK.url || !WEBHOOK.secret) return;
    const tell = (topic, order, state) => this.post(topic, { topic, state, orderId: order && String(order.id) });
    this.eventBus.ofType(core.OrderStateTransitionEvent).subscribe((e) => tell('order', e.order, e.toState));
    this.eventBus.ofType(core.RefundStateTransitionEvent).subscribe((e) => tell('refund', e.order, e.toState));
    this.eventBus.ofType(core.StockMovementEvent).subscribe(() => tell('stock', null, null));
    this.eventBus.ofType(core.FulfillmentStateTransitionEvent).subscribe((e) => {
      for (const order of e.orders || []) tell('fulfillment', order, e.toState);
    });
  }

  post(topic, payload) {
    const body = JSON.stringify(payload);
    const signature = crypto.createHmac('sha256', WEBHOOK.secret).update(body).digest('hex');
    const headers = {
      'content-type': 'application/json',
      'x-hub-signature': signature,
      'x-hub-delivery': crypto.randomUUID(),
      'x-hub-topic': topic,
    };
    fetch(WEBHOOK.url, { method: 'POST', headers, body }).catch(() => undefined);
  }
}
Reflect.defineMetadata('design:paramtypes', [core.EventBus], HubWebhooks);
core.VendurePlugin({ imports: [core.PluginCommonModule] })(HubWebhooks);

const config = {
  apiOptions: { hostname: '127.0.0.1', port: PORT, adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: { tokenMethod: ['bearer', 'api-key'], superadminCredentials: ADMIN, cookieOptions: { secret: 'test' } },
  dbConnectionOptions: { type: 'sqljs', synchronize: true },
  paymentOptions: { paymentMethodHandlers: [core.dummyPaymentHandler] },
  shippingOptions: { fulfillmentHandlers: [core.manualFulfillmentHandler, serialized] },
  customFields: { Fulfillment: [{ name: 'serials', type: 'string', list: true }] },
  logger: new core.DefaultLogger({ level: core.LogLevel.Error }),
  plugins: [HubWebhooks],
};

const initialData = {
  defaultLanguage: core.LanguageCode.en,
  defaultZone: 'Europe',
  countries: [{ name: 'Germany', code: 'DE', zone: 'Europe' }],
  taxRates: [{ name: 'Standard', percentage: 20 }],
  shippingMethods: [{ name: 'Standard', price: 500 }],
  paymentMethods: [
    {
      name: 'Dummy',
      handler: { code: 'dummy-payment-handler', arguments: [{ name: 'automaticSettle', value: 'true' }] },
    },
  ],
  collections: [],
};

async function admin(query, variables, token) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const url = `http://127.0.0.1:${PORT}/admin-api`;
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return { data, token: answer.headers.get('vendure-auth-token') };
}

async function restrictedKey() {
  const login = 'mutation($u: String!, $p: String!) { login(username: $u, password: $p) { __typename } }';
  const { token } = await admin(login, { u: ADMIN.identifier, p: ADMIN.password });
  const permissions = ['Order', 'Catalog', 'Product', 'StockLocation'].flatMap((each) => [`Read${each}`, `Update${each}`]);
  const role = await admin('mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }',
    { i: { code: 'hub', description: 'Serial Hub', permissions } }, token);
  const key = await admin('mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey } }',
    { i: { roleIds: [role.data.createRole.id], translations: [{ languageCode: 'en', name: 'hub' }] } }, token);
  const places = await admin('{ stockLocations { items { id } } }', {}, token);
  return { api_key: key.data.createApiKey.apiKey, stock_location_id: places.data.stockLocations.items[0].id };
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vendure-'));
  const csv = path.join(folder, 'products.csv');
  const rows = PRODUCTS.map(([sku, stock]) => `${sku},${sku.toLowerCase()},,,,,,${sku},100.00,standard,${stock},true,,`);
  const head = 'name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets';
  fs.writeFileSync(csv, [head, ...rows].join('\n') + '\n');
  const app = await populate(() => core.bootstrap(config), initialData, csv);
  fs.rmSync(folder, { recursive: true });
  await app.get(core.JobQueueService).start();
  console.log(JSON.stringify({ url: `http://127.0.0.1:${PORT}`, ...(await restrictedKey()) }));
  console.log('READY');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
