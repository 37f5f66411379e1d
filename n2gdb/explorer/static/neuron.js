// A neuron's page: its graph, how good that is, and what it fires on.

import { ask } from "/static/api.js";
import { address } from "/static/api.js";
import { copyButtons } from "/static/copying.js";
import { fill, make } from "/static/dom.js";
import { showEffects } from "/static/effects.js";
import { showExamples } from "/static/examples.js";
import { figure, grouped, score } from "/static/format.js";
import { listen } from "/static/keys.js";
import { showPatterns } from "/static/patterns.js";
import { picture } from "/static/picture.js";
import { predictionBox } from "/static/reading.js";
import { layerAt, modelAt, neuronAt } from "/static/routes.js";
import { similarNeurons } from "/static/similar.js";
import { figures, stateBadge } from "/static/statistics.js";
import { meter } from "/static/token.js";

const DRAWN = 40;
const DRAWN_MORE = 200;

/** Show the page of the neuron that the address names. */
export async function neuronPage(page, { names, model, database, signal, go }) {
  const at = { name: names[0], model, api: `/api/neuron/${encodeURIComponent(names[0])}`, signal,
    manyModels: database.models.length > 1 };
  const neuron = await ask(at.api, { model }, signal);
  document.title = `${neuron.neuron} · n2gdb`;
  at.name = neuron.neuron;
  fill(page,
    heading(neuron, at),
    statistics(neuron),
    make("p", { class: "measured" }, neuron.measured),
    graph(neuron, at),
    showEffects(neuron),
    neuron.n_patterns ? predictionBox(at) : null,
    make("div", { class: "columns wide-left" },
      make("div", {}, showExamples(at)),
      make("div", {}, showPatterns(at), similarNeurons(at))));
  const step = (to) => to && go(neuronAt(to, model));
  listen({
    j: () => step(neuron.next), ArrowRight: () => step(neuron.next),
    k: () => step(neuron.previous), ArrowLeft: () => step(neuron.previous),
  }, signal);
}

function heading(neuron, at) {
  return make("header", { class: "title" },
    make("p", { class: "crumbs faint" }, make("a", { href: modelAt(at.model) }, neuron.model), " / ",
      make("a", { href: layerAt(neuron.layer, at.model) }, `layer ${neuron.layer}`)),
    make("div", { class: "line" },
      make("h1", {}, neuron.neuron), stateBadge(neuron.state), make("span", { class: "gap" }),
      make("span", { class: "buttons" }, copyButtons(neuron, at)),
      make("nav", { class: "steps", "aria-label": "Neighbours" },
        stepLink("←", "Previous neuron (k)", neuron.previous, at), stepLink("→", "Next neuron (j)", neuron.next, at))));
}

function stepLink(sign, title, to, at) {
  if (!to) return make("span", { class: "step-link none", "aria-hidden": "true" }, sign);
  return make("a", { class: "step-link", href: neuronAt(to, at.model), title: `${title}: ${to}`, "aria-label": `${title}: ${to}`,
    rel: sign === "←" ? "prev" : "next" }, sign);
}

function statistics(neuron) {
  return figures([
    ["F1", meter(neuron.f1)],
    ["precision", meter(neuron.precision)],
    ["recall", meter(neuron.recall)],
    ["true firings", grouped(neuron.true_firings), "tokens of the test examples on which the neuron fires"],
    ["predicted", grouped(neuron.predicted_firings), "tokens of the test examples on which the graph fires"],
    ["patterns", grouped(neuron.n_patterns)],
    ["nodes", grouped(neuron.n_nodes)],
    ["tokens", `${grouped(neuron.n_activating)} + ${grouped(neuron.n_context)}`, "activating tokens + context tokens"],
    ...("polysemy" in neuron ? [["behaviours", grouped(neuron.polysemy), "parts of the graph that share no token"]] : []),
    ["max activation", figure(neuron.max_activation)],
  ]);
}

function graph(neuron, at) {
  const place = make("figure", { class: "graph" });
  if (!neuron.n_patterns) {
    return fill(place, make("p", { class: "nothing" }, neuron.state === "dead"
      ? "This neuron never fires on the corpus: it has no graph." : "This neuron has no patterns: its graph predicts nothing."));
  }
  draw(place, neuron, at, DRAWN);
  return place;
}

function draw(place, neuron, at, most) {
  const label = `Graph of ${neuron.neuron}: ${neuron.n_patterns} patterns, F1 ${score(neuron.f1)}; the same patterns are listed below`;
  const other = most === DRAWN ? DRAWN_MORE : DRAWN;
  const more = neuron.n_patterns > DRAWN
    ? make("button", { class: "quiet", type: "button", onclick: () => draw(place, neuron, at, other) },
      most === DRAWN ? `Draw ${neuron.n_patterns > DRAWN_MORE ? `the strongest ${DRAWN_MORE}` : `all ${neuron.n_patterns}`} patterns` : `Draw the strongest ${DRAWN}`)
    : null;
  fill(place, picture(address(`${at.api}/graph.svg`, { most, model: at.model }), label, at.signal),
    make("figcaption", {}, make("span", { class: "key fires" }, "fires on"), make("span", { class: "key context" }, "needs before it"),
      make("span", {}, "text order, left to right; deeper colour is stronger; tokens in one box are alternatives; a bold rim is where a pattern may begin"), more));
}
