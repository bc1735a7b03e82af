// The whole shop: products, live stock, a cart that the hub holds, a checkout that a server confirms.
import { Client, createClient, fetchExchange, persistedExchange, subscriptionExchange } from "./urql.js";

const WORDS = { IN_STOCK: "in stock", LOW: "few left", OUT: "sold out", PREORDER: "pre-order" };
const { hub, key, documents } = await (await fetch("/configuration.json")).json();
const authorization = `Bearer ${key}`;

// Pages name documents by their hash; over the socket the trusted text itself is sent.
const nameOf = (document) => document.definitions.find((each) => each.name).name.value;
const fileOf = (name) => name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
const socket = createClient({
  url: `${hub.replace(/^http/, "ws")}/graphql`,
  connectionParams: { authorization },
  shouldRetry: () => true,
});
const client = new Client({
  url: `${hub}/graphql`,
  fetchOptions: { headers: { authorization } },
  preferGetMethod: false,
  exchanges: [
    persistedExchange({
      enforcePersistedQueries: true,
      enableForMutation: true,
      generateHash: async (_, document) => documents[fileOf(nameOf(document))].sha256,
    }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({
          unsubscribe: socket.subscribe(
            { query: documents.stock.text, variables: request.variables }, sink),
        }),
      }),
    }),
  ],
});

// A cart is known by a name that nobody guesses; this browser keeps it.
let cart = localStorage.getItem("cart") ?? newCart();
function newCart() {
  const name = crypto.randomUUID();
  localStorage.setItem("cart", name);
  return name;
}

const $ = (id) => document.getElementById(id);
let endsAt = 0;

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.textContent = text;
  return made;
}

function say(text) {
  $("message").textContent = text;
}

async function ask(name, variables) {
  const { data, error } = await client.query(documents[name].text, variables).toPromise();
  if (error) throw error;
  return data;
}

async function command(name, variables) {
  const given = { key: crypto.randomUUID(), cart, ...variables };
  const { data, error } = await client.mutation(documents[name].text, given).toPromise();
  if (error) {
    say(error.message);
    return null;
  }
  if (data.done.code) {
    say(data.done.message);
    return null;
  }
  return data.done;
}

function show(reservation) {
  const lines = reservation?.lines ?? [];
  $("lines").replaceChildren(...lines.map(({ sku, quantity }) => element("li", `${quantity} × ${sku}`)));
  $("buy").disabled = $("empty").disabled = lines.length === 0;
  endsAt = reservation ? Date.now() + reservation.ttlSeconds * 1000 : 0;
}

setInterval(() => {
  const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
  $("time").textContent = endsAt ? `Yours for ${Math.floor(left / 60)} min ${left % 60} s` : "";
  if (endsAt && left === 0) show(null);
}, 500);

async function start() {
  const { products } = await ask("products", {});
  for (const { sku, name, manufacturer } of products) {
    const item = element("li", "");
    const button = element("button", "Add to cart", { disabled: true });
    button.setAttribute("aria-label", `Add ${name} to the cart`);
    button.onclick = async () => {
      say("");
      const done = await command("reserve", { sku });
      if (done) show(done.reservation);
    };
    item.append(element("span", name), element("span", "…", { className: "band", id: `band-${sku}` }),
      button, element("small", `${manufacturer.name}, ${sku}`));
    $("list").append(item);
  }
  watch(products.map(({ sku }) => sku));
  show((await ask("cart", { cart })).reservation);
}

// The socket comes back by itself and asks anew; what it is sent first is all that is known.
function watch(skus) {
  client.subscription(documents.stock.text, { skus }).subscribe(({ data }) => {
    for (const { sku, band } of data?.availability.changed ?? []) {
      const shown = $(`band-${sku}`);
      shown.textContent = WORDS[band];
      shown.className = `band ${band}`;
      shown.nextElementSibling.disabled = band === "OUT";
    }
  });
}

$("empty").onclick = async () => {
  if (await command("release", {})) show(null);
};

$("buy").onclick = async () => {
  if (!$("email").reportValidity()) return;
  $("buy").disabled = true;
  const contact = { email: $("email").value };
  const bought = await command("checkout", { order: { contact } });
  if (!bought) {
    $("buy").disabled = false;
    return;
  }
  show(null);
  cart = newCart();
  say(`Order ${bought.order.number} waits for its payment …`);
  // Here a payment provider would take over; its webhook tells the shop's server.
  const paid = await (await fetch("/pay", { method: "POST", body: bought.token })).json();
  if (paid.code) return say(paid.message);
  const { orderStatus } = await ask("order_status", { token: bought.token });
  say(`Thank you. Order ${orderStatus.number}: ${orderStatus.progress.toLowerCase().replace("_", " ")}.`);
};

await start();
