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
