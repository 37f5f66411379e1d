// Queries to click: examples that answer here, and those asked before.

import { fill, make } from "/static/dom.js";
import { asked, forget } from "/static/history.js";
import { coloured } from "/static/highlight.js";
import { queryAt } from "/static/routes.js";

/** Return the examples and the history, folded up unless `open`. */
export function suggestions(examples, { open, model }) {
  const past = make("div");
  showPast(past, model);
  return make("details", { class: "suggestions", open }, make("summary", {}, "Examples and history"),
    make("div", { class: "columns" },
      make("section", {}, make("h2", {}, "Examples"), listOf(examples, model)), past));
}

function showPast(place, model) {
  const queries = asked();
  if (!queries.length) return fill(place);
  return fill(place, make("section", { class: "past" }, make("h2", {}, "Asked before",
    make("button", { class: "quiet", type: "button", onclick: () => { forget(); showPast(place, model); } }, "Forget")),
  listOf(queries.slice(0, 12), model)));
}

function listOf(queries, model) {
  return make("ul", { class: "queries" }, queries.map((query) =>
    make("li", {}, make("a", { href: queryAt(query, model) }, inColour(query)))));
}

/** Show a query in its colours. */
export function inColour(query) {
  return make("code", {}, coloured(query).map(([kind, text]) => make("span", { class: kind }, text)));
}
