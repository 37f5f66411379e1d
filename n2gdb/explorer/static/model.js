// A model's page: the paper's table, and the same as a figure by layer.

import { ask } from "/static/api.js";
import { dots } from "/static/chart.js";
import { fill, make } from "/static/dom.js";
import { grouped } from "/static/format.js";
import { layerAt } from "/static/routes.js";
import { figures } from "/static/statistics.js";

const PREDICTORS = { n2g: "graph", plain: "graph before refinement", lookup: "token look-up", ngram: "5-gram look-up" };
const MEASURES = [["f1", "F1"], ["precision", "Precision"], ["recall", "Recall"]];

/** Show the page of the model that the address names, or of the first. */
export async function modelPage(page, { model, signal }) {
  const told = await ask("/api/model", { model }, signal);
  document.title = `${told.name} · n2gdb`;
  const test = told.table.filter((row) => row.text === "test");
  const predictors = Object.keys(PREDICTORS).filter((name) => test.some((row) => row.predictor === name));
  fill(page, make("header", { class: "title" }, make("h1", {}, told.name)),
    facts(told),
    make("section", { "aria-labelledby": "faithful" }, make("h2", { id: "faithful" }, "How well the graphs predict their neurons"),
      table(test, predictors, model), make("p", { class: "measured" }, told.rule)),
    make("div", { class: "columns three" }, MEASURES.map(([measure, title]) => make("section", {}, make("h2", {}, title),
      dots(series(test, predictors, measure), told.n_layers, { title: `${title} by layer, beside look-up tables` })))),
    configuration(told));
}

function facts(told) {
  return figures([["layers", grouped(told.n_layers)], ["neurons a layer", grouped(told.d_mlp)], ["neurons", grouped(told.neurons)],
    ["dead", grouped(told.dead)], ["unpredicted", grouped(told.unpredicted)], ["patterns", grouped(told.patterns)],
    ["vocabulary", grouped(told.d_vocab)], ["corpus tokens", grouped(told.corpus_tokens), told.corpus]]);
}

function table(rows, predictors, model) {
  const layers = [...new Set(rows.map((row) => row.layer))].sort((first, second) => (first === null) - (second === null) || first - second);
  const of = (layer, predictor) => rows.find((row) => row.layer === layer && row.predictor === predictor);
  const head = make("thead", {},
    make("tr", {}, make("td", { colspan: 2 }), make("th", { scope: "colgroup", colspan: 4 }, "graph"),
      predictors.slice(1).map((name) => make("th", { scope: "col", class: "number" }, PREDICTORS[name]))),
    make("tr", {}, ["layer", "neurons", "precision", "recall", "F1", "nodes", ...predictors.slice(1).map(() => "F1")].map((title, place) =>
      make("th", { scope: "col", class: place ? "number" : "" }, title))));
  return make("div", { class: "scroll" }, make("table", { class: "rows paper" },
    make("caption", { class: "unseen" }, "Precision, recall and F1 by layer, beside look-up tables"), head,
    make("tbody", {}, layers.map((layer) => line(layer, predictors.map((name) => of(layer, name)), model)))));
}

// The largest F1 of a line is bold, and says so.
function line(layer, [own, ...others], model) {
  const best = Math.max(...[own, ...others].map((row) => row?.f1 ?? 0));
  const cell = (value) => make("td", { class: "number" }, three(value));
  const scored = (row) => make("td", { class: "number" }, row?.f1 === best ? make("strong", { title: "the best of this line" }, three(row.f1)) : three(row?.f1));
  return make("tr", { class: layer === null ? "mean" : "" },
    make("th", { scope: "row" }, layer === null ? "all" : make("a", { href: layerAt(layer, model), "aria-label": `Layer ${layer}` }, String(layer))),
    make("td", { class: "number" }, grouped(own.neurons)), cell(own.precision), cell(own.recall), scored(own),
    make("td", { class: "number" }, own.nodes === null ? "–" : own.nodes.toFixed(1)), others.map(scored));
}

const three = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

function series(rows, predictors, measure) {
  return predictors.map((name) => ({ name: PREDICTORS[name],
    values: rows.filter((row) => row.predictor === name && row.layer !== null && row[measure] !== null)
      .sort((first, second) => first.layer - second.layer).map((row) => [row.layer, row[measure]]) }));
}

function configuration(told) {
  const values = typeof told.configuration === "string" ? JSON.parse(told.configuration) : told.configuration;
  const entries = [["site", told.site], ["activation function", told.activation_function], ["corpus", told.corpus], ...Object.entries(values)];
  return make("details", { class: "configuration" }, make("summary", {}, "How it was ingested"),
    make("dl", { class: "parameters" }, entries.map(([name, value]) =>
      [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, typeof value === "string" ? value : JSON.stringify(value))])));
}
