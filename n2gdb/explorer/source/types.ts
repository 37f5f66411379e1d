// What the server tells.

import type { Told } from "./server";

export interface Model {
  name: string; n_layers: number; d_mlp: number; d_vocab: number; corpus: string; corpus_tokens: number; site: string;
  activation_function: string; neurons: number; layers: number[]; dead: number; unpredicted: number; patterns: number; mean_f1: number | null;
}
export interface Database { file: string; version: string; units: string; models: Model[] }
export interface Step { depth: number; token: number | null; text: string | null; importance: number | null; matched: boolean; shown: string }
export interface Path { text: string; steps: Step[] }
export interface Evidence { clause: number; activation: number; path: Path }
export interface Row {
  [column: string]: unknown;
  neuron?: string; model?: string; path?: Path; evidence?: Evidence[]; token?: string; shown?: string;
  group?: string | number | null; count?: number; state?: string;
}
export interface Answer {
  kind: "neurons" | "patterns" | "tokens" | "counts" | "stages"; noun: string;
  columns: string[]; sortable: string[]; rows: Row[]; total: number; notices: string[]; milliseconds: number;
}
export interface Stage { step: string; cypher: string | null; parameters: Record<string, unknown> | null; rows: number | null; milliseconds: number | null; least_rows?: number | null; most_rows?: number | null; reads?: number | null }
export interface Meaning { kind: string; said: string; neuron: string | null; model: string | null; query: string | null; error: Told | null }
export interface Facet { name: string; title: string; groups: { said: string; count: number; query: string }[] }
export interface Pattern { activation: number; path: Path; support?: number | null; confidence?: number | null }
export interface Token {
  position: number; token: number; text: string; predicted: number; pattern: string | null; at: number[]; against: number[]; true: number | null;
  shown: string; fires: { true: boolean; predicted: boolean };
}
export interface Example { rank: number; activation: number; split: string; pivot: number; tokens: Token[]; band?: string }
export interface Written { token: number; text: string; logit: number; shown: string }
export interface Neuron {
  neuron: string; model: string; layer: number; index: number; state: string; f1: number | null; precision: number | null; recall: number | null;
  true_firings: number; predicted_firings: number; n_patterns: number; n_nodes: number; n_activating: number; n_context: number;
  polysemy: number; max_activation: number; density: number | null; measured: string; promotes: Written[]; suppresses: Written[];
  python: string; previous: string | null; next: string | null; first_patterns: Pattern[];
  histogram?: Spread | null; quality?: Quality | null; activating?: Weighed[]; excited_by?: Weighed[]; inhibited_by?: Weighed[];
  [field: string]: unknown;
}
export interface Spread { positions: number; active: number; maximum: number; edges: number[]; counts: number[] }
export interface Quality { f1: number | null; written: string; text: string; firings: number; uncertain: boolean }
export interface Weighed { depth: number; text: string; weight: number; is_class: boolean; shown: string; place: string }
export interface Kept {
  neurons: Record<string, { note: string; labels: string[]; changed: string }>;
  lists: Record<string, string[]>; writable: boolean; file: string;
}
export interface Cost { load_seconds: number; run_seconds: number; memory: number }
