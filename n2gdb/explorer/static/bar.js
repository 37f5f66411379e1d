// The bar above every page: where one is, and where one may go.

import { fill, make } from "/static/dom.js";
import { grouped } from "/static/format.js";
import { layerAt, modelAt, queryAt } from "/static/routes.js";

/** Show the bar for a page; names of models only where there is more than one. */
export function showBar(database, asked) {
  const model = database.models.find((each) => each.name === asked.model) ?? database.models[0];
  const named = database.models.length > 1 ? model.name : null;
  const current = (page) => (asked.page === page ? "page" : null);
  const layers = Array.from({ length: model.n_layers }, (_, layer) =>
    make("a", {
      href: layerAt(layer, named),
      "aria-current": asked.page === "layer" && Number(asked.names[0]) === layer ? "page" : null,
      "aria-label": `Layer ${layer}`,
    }, String(layer)));
  fill(document.getElementById("bar"),
    make("a", { class: "brand", href: "/" }, make("img", { src: "/static/icon.svg", alt: "", width: 20, height: 20 }), "n2gdb"),
    make("nav", { "aria-label": "Pages" },
      make("a", { href: queryAt(null, named), "aria-current": current("query") }, "Query"),
      make("a", { href: modelAt(named), "aria-current": current("model") }, "Model"),
      make("span", { class: "layers" }, make("span", { class: "faint" }, "Layers"), layers)),
    make("span", { class: "file faint", title: database.file },
      `${database.models.map((each) => each.name).join(", ")} · ${grouped(total(database))} neurons`));
}

function total(database) {
  return database.models.reduce((sum, each) => sum + each.neurons, 0);
}
