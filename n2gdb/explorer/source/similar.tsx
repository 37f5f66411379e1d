// Neurons like one, and those that are part of it, with their scores; any of them compared.

import { useState } from "preact/hooks";
import { compareAt, go, neuronAt, note, type Place } from "./address";
import { grouped } from "./format";
import { FiresOn, Loaded, Meter } from "./parts";
import { useAsked } from "./server";
import type { Model, Neuron, Row } from "./types";
import { words } from "./words";

const METRICS = [
  ["graph", "Alike graphs", "steps in common over those of either, weighted by activation and by how rare their tokens are"],
  ["cofiring", "Firing together", "tokens of the corpus on which both fire over those on which either does, as far as recorded"],
  ["tokens", "Shared tokens", "overlap of activating and of context tokens, the smaller of the two"],
  ["subset", "Part of another", "overlap over the smaller of the two graphs"],
] as const;

export function Similar({ neuron, api, model, place, many }: { neuron: Neuron; api: string; model: string | null; place: Place; many: boolean; info: Model | undefined }) {
  const metric = place.get("metric") ?? "graph";
  const told = useAsked<{ rows: Row[] }>(`${api}/similar`, { metric, limit: 12, model });
  const [marked, setMarked] = useState<string[]>([]);
  const own = many ? `${neuron.neuron}=${neuron.model}` : neuron.neuron;
  const named = (row: Row) => (many ? `${row.neuron}=${row.model}` : row.neuron!);
  return <section aria-labelledby="similar" class="similar"><h2 id="similar">Similar {words.many}</h2>
    <div class="tabs" role="group" aria-label="What likeness means">{METRICS.map(([name, title, meaning]) =>
      <button key={name} type="button" aria-pressed={metric === name} data-tip={meaning} data-metric={name} onClick={() => note({ metric: name === "graph" ? null : name })}>{title}</button>)}</div>
    {marked.length ? <p><button type="button" disabled={marked.length > 5} onClick={() => go(compareAt([own, ...marked]))}>Compare {neuron.neuron} with {marked.length === 1 ? "the marked one" : `the ${marked.length} marked`}</button></p> : null}
    <Loaded of={told} what="Comparing">{({ rows }) => { const heldout = rows.some((row) => typeof row.heldout_f1 === "number"); return rows.length ? <div class="scroll" tabIndex={0} role="group" aria-label={`Similar ${words.many}`}><table class="rows">
      <thead><tr><th scope="col"><span class="unseen">mark</span></th><th scope="col">{words.one}</th><th scope="col">fires on</th><th scope="col" class="number">score</th><th scope="col" class="number">shared</th><th scope="col" class="number">{heldout ? "held-out F1" : "F1"}</th><th scope="col"><span class="unseen">compare</span></th></tr></thead>
      <tbody>{rows.map((row) => <tr key={named(row)}>
        <td><label class="check"><input type="checkbox" aria-label={`Mark ${row.neuron}`} checked={marked.includes(named(row))} onChange={() => setMarked((now) => (now.includes(named(row)) ? now.filter((each) => each !== named(row)) : [...now, named(row)]))} /></label></td>
        <td><a class="neuron" href={neuronAt(row.neuron!, many ? String(row.model) : null)}>{row.neuron}</a></td><td><FiresOn tokens={row.fires_on as string[]} /></td>
        <td class="number"><Meter value={row.similarity as number} /></td><td class="number">{grouped(row.size as number)}</td><td class="number">{heldout ? <Meter value={row.heldout_f1 as number | null} firings={row.heldout_firings as number | null} /> : <Meter value={row.f1 as number | null} />}</td>
        <td><a href={compareAt([own, named(row)])} aria-label={`Compare ${neuron.neuron} with ${row.neuron}`}>compare</a></td></tr>)}</tbody></table></div>
      : <p class="nothing">None: nothing shared with any other.</p>; }}</Loaded></section>;
}
