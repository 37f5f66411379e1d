// All pairs of neurons that are alike, as `n2gdb pairs` finds them.

import { useEffect } from "preact/hooks";
import { compareAt, neuronAt, note, restoreScroll, type Place } from "./address";
import { grouped } from "./format";
import { FiresOn, Loaded, Meter } from "./parts";
import { useAsked } from "./server";
import type { Database } from "./types";
import { words } from "./words";

interface Pair { first: string; first_model: string; second: string; second_model: string; similarity: number; size: number; first_fires_on: string[]; second_fires_on: string[] }

// From where on two are shown as alike, until one says otherwise.
const LEAST: Record<string, string> = { graph: "0.3", cofiring: "0.3", tokens: "0.5", subset: "0.9" };

export function PairsPage({ place, database, model }: { place: Place; database: Database; model: string | null }) {
  const many = database.models.length > 1;
  const metric = place.get("metric") ?? "graph";
  const [above, least] = [place.get("above") ?? LEAST[metric] ?? "0.3", place.get("min_size") ?? "3"];
  const across = place.get("across_layers") === "yes";
  const rows = Math.min(200, Number(place.get("rows") ?? 50) || 50);
  const told = useAsked<{ total: number; rows: Pair[] }>("/api/pairs", { metric, above, min_size: least, across_layers: across, model: many ? model : null, limit: rows });
  useEffect(() => { document.title = "Pairs · n2gdb"; }, []);
  useEffect(() => (told.data ? restoreScroll() : undefined), [told.data !== null]);
  const named = (name: string, of: string) => (many ? `${name}=${of}` : name);
  return <><header class="title"><h1 tabIndex={-1}>Pairs of {words.many} that are alike</h1></header>
    <p class="measured">Every pair, exactly. Graphs of few tokens are alike easily: the least that is shared leaves them out.</p>
    <div class="line options" role="group" aria-label="Which pairs">
      <label>by <select value={metric} onChange={(event) => note({ metric: event.currentTarget.value, above: null, rows: null })}><option value="graph">alike graphs</option><option value="cofiring">firing together</option><option value="tokens">shared tokens</option><option value="subset">one part of the other</option></select></label>
      <label>from <input type="number" min="0.05" max="1" step="0.05" value={above} onChange={(event) => note({ above: event.currentTarget.value, rows: null })} /> on</label>
      <label>sharing at least <input type="number" min="1" max="999" value={least} onChange={(event) => note({ min_size: event.currentTarget.value, rows: null })} /></label>
      <label class="check"><input type="checkbox" checked={across} onChange={() => note({ across_layers: !across, rows: null })} /> of two layers</label></div>
    <Loaded of={told} what={`Comparing every two ${words.many}`}>{({ total, rows: pairs }) => <><p><strong>{grouped(total)}</strong> {total === 1 ? "pair" : "pairs"}</p>
      {pairs.length ? <div class="scroll" tabIndex={0} role="group" aria-label="Pairs"><table class="rows narrow"><thead><tr><th scope="col">first</th><th scope="col">fires on</th><th scope="col">second</th><th scope="col">fires on</th><th scope="col" class="number">alike</th><th scope="col" class="number">shared</th><th scope="col"><span class="unseen">compare</span></th></tr></thead>
        <tbody>{pairs.map((pair) => <tr key={`${pair.first_model}${pair.first} ${pair.second_model}${pair.second}`}><td><a class="neuron" href={neuronAt(pair.first, many ? pair.first_model : null)}>{pair.first}</a></td><td><FiresOn tokens={pair.first_fires_on} /></td><td><a class="neuron" href={neuronAt(pair.second, many ? pair.second_model : null)}>{pair.second}</a></td><td><FiresOn tokens={pair.second_fires_on} /></td>
          <td class="number"><Meter value={pair.similarity} /></td><td class="number">{grouped(pair.size)}</td><td><a href={compareAt([named(pair.first, pair.first_model), named(pair.second, pair.second_model)])} aria-label={`Compare ${pair.first} with ${pair.second}`}>compare</a></td></tr>)}</tbody></table></div>
        : <p class="nothing">No pair is so much alike.</p>}
      {pairs.length < total && rows < 200 ? <button class="more" type="button" onClick={() => note({ rows: 200 })}>Show {grouped(Math.min(200, total))}</button> : null}</>}</Loaded></>;
}
