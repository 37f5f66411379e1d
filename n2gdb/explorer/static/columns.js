// The columns of an answer, by what its rows are of.

import { make } from "/static/dom.js";
import { NONE, grouped, score } from "/static/format.js";
import { address } from "/static/api.js";
import { neuronAt } from "/static/routes.js";
import { meter, path, token } from "/static/token.js";

const TITLES = { f1: "F1", n_patterns: "patterns", n_nodes: "nodes", n_activating: "activating", n_context: "context",
  max_activation: "max activation", true_firings: "true firings", predicted_firings: "predicted firings" };
const REALS = new Set(["activation", "importance"]);
const SHARES = new Set(["f1", "precision", "recall", "similarity"]);

/** Return the columns of an answer { kind, columns, rows }; those of neurons have a picture at their end. */
export function columnsOf(told, manyModels) {
  const columns = told.columns.map((name) => columnOf(name, manyModels));
  if (told.kind === "neurons" && told.columns.includes("neuron")) columns.push(pictureColumn(manyModels));
  return columns;
}

function columnOf(name, manyModels) {
  if (name === "neuron") return neuronColumn(manyModels);
  if (name === "path") return pathColumn();
  if (name === "token") return tokenColumn();
  if (SHARES.has(name)) return shareColumn(name);
  if (REALS.has(name)) return { ...plainColumn(name), cell: (row) => score(row[name]) };
  return plainColumn(name);
}

function neuronColumn(manyModels) {
  return { name: "neuron", title: "neuron", value: (row) => row.neuron, text: (row) => row.neuron,
    cell: (row) => make("a", { class: "neuron", href: neuronAt(row.neuron, manyModels ? row.model : null) }, row.neuron) };
}

function pathColumn() {
  return { name: "path", title: "path", value: (row) => written(row), text: (row) => written(row),
    cell: (row) => paths(row).map((steps) => path(steps)) };
}

// A neuron has a path for each clause of the query that it meets, a pattern its own; a bare listing none.
function paths(row) {
  if (row.evidence) return row.evidence.map((found) => found.path.steps);
  return row.path?.steps?.length ? [row.path.steps] : [];
}

function written(row) {
  return paths(row).flat().map((step) => (step.text === null ? "_" : step.shown)).join(" ");
}

function tokenColumn() {
  return { name: "token", title: "token", value: (row) => row.token, text: (row) => row.shown, cell: (row) => token(row.shown) };
}

function shareColumn(name) {
  return { name, title: TITLES[name] ?? name, number: true, value: (row) => row[name], cell: (row) => meter(row[name]) };
}

function plainColumn(name) {
  return { name, title: TITLES[name] ?? name, number: true, value: (row) => row[name], text: (row) => String(row[name] ?? ""),
    cell: (row) => cell(row[name]) };
}

function cell(value) {
  if (value === null || value === undefined) return NONE;
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? grouped(value) : score(value);
}

function pictureColumn(manyModels) {
  return { name: "picture", title: "graph", cell: (row) => make("img", { class: "thumbnail", alt: "", loading: "lazy",
    width: 160, height: 48, src: address(`/api/neuron/${row.neuron}/thumbnail.svg`, { model: manyModels ? row.model : null }) }) };
}
