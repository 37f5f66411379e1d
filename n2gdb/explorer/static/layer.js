// A layer's page: how good its graphs are, how many neurons live, and what they fire on.

import { ask } from "/static/api.js";
import { columns } from "/static/chart.js";
import { fill, make } from "/static/dom.js";
import { counted, grouped, score } from "/static/format.js";
import { listen } from "/static/keys.js";
import { layerAt, modelAt, neuronAt, queryAt } from "/static/routes.js";
import { figures, stateBadge } from "/static/statistics.js";
import { bar, meter, token } from "/static/token.js";

/** Show the page of the layer that the address names. */
export async function layerPage(page, { names, model, database, signal, go }) {
  const told = await ask(`/api/layer/${names[0]}`, { model }, signal);
  const { n_layers: layers } = database.models.find((each) => each.name === told.model);
  document.title = `Layer ${told.layer} of ${told.model} · n2gdb`;
  fill(page,
    make("header", { class: "title" },
      make("p", { class: "crumbs faint" }, make("a", { href: modelAt(model) }, told.model)),
      make("h1", {}, `Layer ${told.layer}`)),
    figures([["neurons", grouped(told.neurons)], ["mean F1", meter(told.mean_f1)], ["mean precision", meter(told.mean_precision)],
      ["mean recall", meter(told.mean_recall)],
      ...Object.entries(told.states).map(([state, count]) => [stateBadge(state), make("a", { href: queryAt(`neurons WHERE layer = ${told.layer} AND state = '${state}'`, model) }, grouped(count))])]),
    make("p", { class: "measured" }, "Means are over the neurons whose test examples hold a firing; a graph that predicts none counts as 0, a dead neuron is counted apart."),
    make("div", { class: "columns" }, quality(told), behaviours(told)),
    make("div", { class: "columns three" },
      commonTokens(told, model),
      neurons("Most faithful", told.best, model),
      neurons("Most polysemous", told.polysemous, model)));
  const step = (to) => to >= 0 && to < layers && go(layerAt(to, model));
  listen({ j: () => step(told.layer + 1), ArrowRight: () => step(told.layer + 1), k: () => step(told.layer - 1), ArrowLeft: () => step(told.layer - 1) }, signal);
}

function quality(told) {
  const entries = told.f1.map((bin) => ({ label: bin.from.toFixed(1), count: bin.neurons,
    said: `F1 ${score(bin.from)} to ${score(bin.to)}: ${counted(bin.neurons, "neuron")}` }));
  return make("section", {}, make("h2", {}, "How faithful the graphs are"),
    columns(entries, { title: "F1 on test examples", counted: "neurons", each: 4, edges: true }));
}

function behaviours(told) {
  if (!told.polysemy?.length) return null;
  const most = Math.max(...told.polysemy.map((group) => group.behaviours));
  const entries = Array.from({ length: most + 1 }, (_, behaviours) => {
    const count = told.polysemy.find((group) => group.behaviours === behaviours)?.neurons ?? 0;
    return { label: String(behaviours), count, said: `${counted(behaviours, "behaviour")}: ${counted(count, "neuron")}` };
  });
  return make("section", {}, make("h2", {}, "How many things they do"),
    columns(entries, { title: "behaviours of a neuron: parts of its graph that share no token", counted: "neurons", each: Math.ceil(entries.length / 14) }));
}

function commonTokens(told, model) {
  const most = Math.max(1, ...told.tokens.map((each) => each.neurons));
  return make("section", {}, make("h2", {}, "Most common activating tokens"), make("table", { class: "counts" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "token"), make("th", { scope: "col", class: "number" }, "neurons"),
      make("th", { scope: "col" }, make("span", { class: "unseen" }, "bar")))),
    make("tbody", {}, told.tokens.map((each) => make("tr", {},
      make("th", { scope: "row" }, make("a", { href: queryAt(each.query, model), title: each.query }, token(each.shown, { class: "fires" }))),
      make("td", { class: "number" }, grouped(each.neurons)), make("td", { class: "wide" }, bar(each.neurons / most)))))));
}

function neurons(title, rows, model) {
  if (!rows?.length) return null;
  const many = "polysemy" in rows[0];
  return make("section", {}, make("h2", {}, title), make("table", { class: "rows" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "neuron"), make("th", { scope: "col", class: "number" }, "F1"),
      many ? make("th", { scope: "col", class: "number" }, "behaviours") : null)),
    make("tbody", {}, rows.map((row) => make("tr", {},
      make("td", {}, make("a", { class: "neuron", href: neuronAt(row.neuron, model) }, row.neuron)),
      make("td", { class: "number" }, meter(row.f1)), many ? make("td", { class: "number" }, grouped(row.polysemy)) : null)))));
}
