// Two neurons side by side, what they share marked.

import { address } from "/static/api.js";
import { fill, make } from "/static/dom.js";
import { picture } from "/static/picture.js";
import { neuronAt } from "/static/routes.js";

/** Show the page of the two neurons that the address names. */
export async function comparePage(page, { names: [first, second], model, secondModel, signal }) {
  const other = secondModel ?? model;
  document.title = `${first} and ${second} · n2gdb`;
  const url = address("/api/compare.svg", { first, second, first_model: model, second_model: other });
  fill(page, make("header", { class: "title" }, make("h1", {},
    make("a", { href: neuronAt(first, model) }, first), " and ", make("a", { href: neuronAt(second, other) }, second))),
  make("figure", { class: "graph" }, picture(url, `Graphs of ${first} and ${second}, what they share marked`, signal),
    make("figcaption", {}, "ringed in green: what both graphs have")));
}
