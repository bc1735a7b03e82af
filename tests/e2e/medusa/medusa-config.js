'use strict';
// A Medusa shop for tests: one PostgreSQL database, no dashboard, no Redis.
const { defineConfig } = require('@medusajs/framework/utils');

module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { connection: { ssl: false } },
    http: {
      storeCors: 'http://127.0.0.1',
      adminCors: 'http://127.0.0.1',
      authCors: 'http://127.0.0.1',
      jwtSecret: 'not-a-real-jwt-secret',
      cookieSecret: 'not-a-real-cookie-secret',
    },
  },
  admin: { disable: true },
});
