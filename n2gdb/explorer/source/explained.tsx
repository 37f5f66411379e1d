// The Cypher of a query, on demand: each step with its statement, parameters, rows and time.

import { note } from "./address";
import { counted, duration, grouped } from "./format";
import { Loaded } from "./parts";
import { useAsked } from "./server";
import type { Stage } from "./types";

/** A button that shows and hides the steps of a query; the address says whether they are shown. */
export function Explained({ q, model, open }: { q: string; model: string | null; open: boolean }) {
  const told = useAsked<{ stages: Stage[] }>(open ? "/api/explain" : null, { q, model });
  return <><button type="button" aria-expanded={open} onClick={() => note({ cypher: !open })}>Cypher</button>
    {open ? <div class="explained"><Loaded of={told} what="Explaining">{({ stages }) => <Stages of={stages} />}</Loaded></div> : null}</>;
}

/** Show steps. */
export function Stages({ of }: { of: Stage[] }) {
  return <ol class="stages">{of.map((stage, at) => <li key={at}>
    <div class="step"><strong>{stage.step}</strong>{figures(stage)}</div>
    {stage.cypher ? <pre tabIndex={0}><code>{stage.cypher}</code></pre> : null}
    <Parameters of={stage.parameters ?? {}} /></li>)}</ol>;
}

function figures(stage: Stage) {
  const said: string[] = [];
  if (typeof stage.milliseconds === "number") said.push(counted(stage.rows ?? 0, "row"), duration(stage.milliseconds));
  if (typeof stage.most_rows === "number") said.push(`${expected(stage.least_rows ?? 0, stage.most_rows)} expected, ${grouped(stage.reads)} looked at`);
  return said.length ? <span class="faint">{said.join(", ")}</span> : null;
}

function expected(least: number, most: number): string {
  if (least === most) return counted(most, "row");
  return least ? `${grouped(least)} to ${counted(most, "row")}` : `at most ${counted(most, "row")}`;
}

function Parameters({ of }: { of: Record<string, unknown> }) {
  const named = Object.entries(of);
  return named.length ? <dl class="parameters">{named.map(([name, value]) => <><dt>${name}</dt><dd tabIndex={0}><bdi>{exact(value)}</bdi></dd></>)}</dl> : null;
}

// Whole numbers beyond 53 bits come as { integer: "..." }: written with all their digits, as `n2gdb cypher` reads them.
function exact(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(exact).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const held = value as Record<string, unknown>;
    const names = Object.keys(held);
    if (names.length === 1 && typeof held.integer === "string") return held.integer;
    return `{${names.map((name) => `${JSON.stringify(name)}:${exact(held[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
