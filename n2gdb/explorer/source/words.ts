// The words for what a database holds, as its queries have them: neurons, latents, or units of several kinds.

import { toldDatabase } from "./server";
import type { Database } from "./types";

/** What all of the database's units are called, and one of them. */
export const words = { many: "neurons", one: "neuron", named: "L3N45" };

export function speakOf(database: Database | null): void {
  words.many = database?.units ?? "neurons";
  words.one = words.many.slice(0, -1);
  words.named = words.many === "latents" ? "L3F45" : "L3N45";
}

speakOf(toldDatabase);

/** What a unit of a kind is called: an MLP's is a neuron, an SAE's a latent, another site's a direction. */
export const unitOf = (kind: unknown): string => ({ mlp: "neuron", sae: "latent", transcoder: "latent" })[String(kind ?? "mlp")] ?? "direction";

const TITLES: Record<string, string> = { heldout_f1: "held-out F1", heldout_precision: "held-out precision", heldout_recall: "held-out recall", heldout_firings: "held-out firings", model: "model", f1: "F1", path: "what matched", n_patterns: "patterns", n_nodes: "nodes", n_activating: "activating", n_context: "context", true_firings: "true firings", predicted_firings: "predicted firings", max_activation: "max activation", polysemy: "behaviours", max_depth: "depth", size: "shared" };

/** What a field is called at the head of a column, or of a chart. */
export const titled = (field: string): string => TITLES[field] ?? field.replaceAll("_", " ");
