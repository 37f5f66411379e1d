// Which page an address names, and how addresses of pages are written.

import { address } from "/static/api.js";

const PAGES = [
  ["query", /^\/$/],
  ["neuron", /^\/neuron\/([^/]+)$/],
  ["layer", /^\/layer\/(\d+)$/],
  ["model", /^\/model$/],
  ["compare", /^\/compare\/([^/]+)\/([^/]+)$/],
];

/** Return the page that an address names, with the parts of it: null where there is none. */
export function pageOf(url) {
  for (const [page, form] of PAGES) {
    const found = form.exec(url.pathname);
    const names = found?.slice(1).map(decoded);
    if (names?.every((name) => name !== null)) {
      return { page, names, q: url.searchParams.get("q"), model: url.searchParams.get("model"),
        secondModel: url.searchParams.get("second_model") };
    }
  }
  return null;
}

// A name whose percent signs mean nothing is not a name.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

export const queryAt = (q, model) => address("/", { q, model });
export const neuronAt = (neuron, model) => address(`/neuron/${encodeURIComponent(neuron)}`, { model });
export const layerAt = (layer, model) => address(`/layer/${layer}`, { model });
export const modelAt = (model) => address("/model", { model });
export const compareAt = (first, second, model, secondModel) =>
  address(`/compare/${encodeURIComponent(first)}/${encodeURIComponent(second)}`, { model, second_model: secondModel });
