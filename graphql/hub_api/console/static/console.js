// Comfort only: every page works without this file.
"use strict";

const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function addLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time.dataset.local) continue;
    time.dataset.local = "yes";
    time.title += `\n${localTime.format(new Date(time.dateTime))} here`;
  }
}

function refreshing(main) {
  const seconds = Number(main.dataset.refresh);
  const live = () => {
    const label = document.querySelector(".live");
    if (label) label.hidden = false;
  };
  const again = async () => {
    const busy = main.contains(document.activeElement) && document.activeElement !== main;
    if (document.hidden || busy || String(document.getSelection())) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main");
      if (!fresh) return;
      main.replaceChildren(...fresh.childNodes);
      addLocalTimes(main);
      live();
    } catch {
      // The hub is away for a moment; the next turn tries again.
    }
  };
  live();
  setInterval(again, seconds * 1000);
}

addLocalTimes(document);

const main = document.querySelector("main[data-refresh]");
if (main) refreshing(main);

// One click, one request.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = event.target.method === "post" ? "yes" : "";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) form.dataset.sent = "";
});

// "/" leads to the search, as everywhere.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("search").focus();
});
