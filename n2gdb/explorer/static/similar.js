// Neurons like one, and those that are part of it, with their scores.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { grouped } from "/static/format.js";
import { compareAt, neuronAt } from "/static/routes.js";
import { meter } from "/static/token.js";

const METRICS = [
  ["graph", "Shared paths", "shared path nodes over united ones, weighted by activation"],
  ["tokens", "Shared tokens", "overlap of activating and of context tokens, the smaller of the two"],
  ["subset", "Part of another", "overlap over the smaller of the two graphs"],
];

/** Return the section of similar neurons, with a choice of what likeness means. */
export function similarNeurons(at) {
  const rows = make("div");
  const choice = make("div", { class: "tabs", role: "group", "aria-label": "What likeness means" }, METRICS.map(([metric, title, meaning]) =>
    make("button", { type: "button", "aria-pressed": String(metric === "graph"), title: meaning, "data-metric": metric, onclick: () => choose(metric) }, title)));
  function choose(metric) {
    for (const button of choice.children) button.setAttribute("aria-pressed", String(button.dataset.metric === metric));
    load(rows, at, metric);
  }
  choose("graph");
  return make("section", { "aria-labelledby": "similar" }, make("h2", { id: "similar" }, "Similar neurons"), choice, rows);
}

async function load(place, at, metric) {
  place.setAttribute("aria-busy", "true");
  try {
    const told = await ask(`${at.api}/similar`, { metric, limit: 12, model: at.model }, at.signal);
    fill(place, told.rows.length ? table(told.rows, at) : make("p", { class: "nothing" }, "None: nothing shared with any other neuron."));
  } catch (error) {
    if (!isGivenUp(error)) fill(place, make("p", { class: "refusal" }, error.message));
  }
  place.removeAttribute("aria-busy");
}

function table(rows, at) {
  const head = ["neuron", "score", "shared", "F1", ""].map((title, place) =>
    make("th", { scope: "col", class: place === 0 || place === 4 ? "" : "number" }, title || make("span", { class: "unseen" }, "compare")));
  return make("div", { class: "scroll" }, make("table", { class: "rows" }, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows.map((row) => {
    const model = at.manyModels ? row.model : null;
    return make("tr", {}, make("td", {}, make("a", { class: "neuron", href: neuronAt(row.neuron, model) }, row.neuron)),
      make("td", { class: "number" }, meter(row.similarity)), make("td", { class: "number" }, grouped(row.size)),
      make("td", { class: "number" }, meter(row.f1)),
      make("td", {}, make("a", { href: compareAt(at.name, row.neuron, at.model, model), "aria-label": `Compare ${at.name} with ${row.neuron}` }, "compare")));
  }))));
}
