/* Starts GraphiQL with our examples, and sends the API key with every question. */
"use strict";

(function () {
  const KEY = "serial-hub-api-key";
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const field = document.getElementById("key");
  const state = document.getElementById("key-state");
  const endpoint = window.location.origin + window.location.pathname;
  const root = ReactDOM.createRoot(document.getElementById("graphiql"));
  const explorer = GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false });

  function headers(key) {
    const sent = key ? { Authorization: "Bearer " + key } : {};
    const token = Cookies.get("csrftoken");
    return token ? { ...sent, "X-CSRFToken": token } : sent;
  }

  function tabs() {
    return settings.examples.map((example) => ({ query: example.query, variables: example.variables }));
  }

  function draw() {
    const key = sessionStorage.getItem(KEY) || "";
    state.textContent = key ? "A key is in use in this tab." : "No key: what strangers may ask.";
    const fetcher = GraphiQL.createFetcher({
      url: endpoint,
      subscriptionUrl: endpoint.replace(/^http/, "ws"),
      headers: headers(key),
      wsConnectionParams: key ? { authorization: "Bearer " + key } : {},
    });
    root.render(
      React.createElement(GraphiQL, {
        // Another key may see another schema: start again.
        key: key,
        fetcher: fetcher,
        plugins: [explorer],
        defaultTabs: tabs().length ? tabs() : undefined,
        defaultEditorToolsVisibility: true,
        inputValueDeprecation: true,
        isHeadersEditorEnabled: true,
        shouldPersistHeaders: false,
      }),
    );
  }

  document.getElementById("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, field.value.trim());
    field.value = "";
    draw();
  });
  document.getElementById("forget").addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    draw();
  });
  draw();
})();
