// Runs every server audit of graphql-http against one endpoint and prints the results as JSON.
//
//   node audits.mjs URL [HEADERS_AS_JSON]
import { serverAudits } from 'graphql-http';

const [url, headers = '{}'] = process.argv.slice(2);
if (!url) {
  console.error('usage: node audits.mjs URL [HEADERS_AS_JSON]');
  process.exit(2);
}

const extra = JSON.parse(headers);
const fetchFn = (target, init = {}) =>
  fetch(target, {
    ...init,
    headers: { ...extra, ...init.headers },
    signal: AbortSignal.timeout(10_000),
  });

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { status, reason = null } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason });
}
console.log(JSON.stringify(results));
