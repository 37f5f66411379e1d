// The shell: reads the address, shows its page, and follows links without loading the shell again.

import { ask, isGivenUp } from "/static/api.js";
import { showBar } from "/static/bar.js";
import { comparePage } from "/static/compare.js";
import { announce, fill, make } from "/static/dom.js";
import { layerPage } from "/static/layer.js";
import { modelPage } from "/static/model.js";
import { neuronPage } from "/static/neuron.js";
import { queryPage } from "/static/query.js";
import { pageOf } from "/static/routes.js";

const PAGES = { query: queryPage, neuron: neuronPage, layer: layerPage, model: modelPage, compare: comparePage };

const page = document.getElementById("page");
let leaving = new AbortController();
let database = null;

/** Go to a page of the explorer. */
function go(href) {
  history.pushState(null, "", href);
  window.scrollTo(0, 0);
  show();
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const asked = pageOf(new URL(location.href));
  try {
    if (asked === null) throw new Error(`there is no page ${location.pathname}`);
    database ??= await ask("/api/database");
    if (signal.aborted) return;
    showBar(database, asked);
    await PAGES[asked.page](page, { ...asked, database, signal, go });
    if (asked.page !== "query" && !signal.aborted) page.focus({ preventScroll: true });
  } catch (error) {
    if (isGivenUp(error)) return;
    document.title = "n2gdb";
    fill(page, make("section", { class: "refusal", role: "alert" },
      make("h1", {}, "Not shown"), make("p", {}, error.message),
      error.hint ? make("p", { class: "faint" }, error.hint) : null,
      make("p", {}, make("a", { href: "/" }, "Ask a question instead"))));
    announce(error.message);
  }
}

function followed(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.hasAttribute("download") || link.target || link.origin !== location.origin) return;
  if (link.hash && link.pathname === location.pathname) return;
  if (pageOf(new URL(link.href)) === null) return;
  event.preventDefault();
  go(link.href);
}

document.addEventListener("click", followed);
window.addEventListener("popstate", show);
show();
