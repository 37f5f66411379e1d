// Queries to click: examples that answer here, and those asked before.

import { useState } from "preact/hooks";
import { answerAt } from "./address";
import { askedBefore, forget } from "./kept";
import { Loaded, Query } from "./parts";
import { useAsked } from "./server";

interface Example { query: string; said?: string }

/** The examples and the history, folded up unless `open`; examples are asked for when they are looked at. */
export function Suggestions({ open, model }: { open: boolean; model: string | null }) {
  const [looked, setLooked] = useState(open);
  const told = useAsked<{ examples: Example[] }>(looked || open ? "/api/questions" : null);
  const [, setTurn] = useState(0);
  const past = askedBefore();
  return <details class="suggestions" open={open} onToggle={(event) => { if (event.currentTarget.open) setLooked(true); }}>
    <summary>Examples and history</summary>
    <div>
      <section><h2>Examples</h2><Loaded of={told} what="Trying the examples">{({ examples }) => <List of={examples} model={model} />}</Loaded></section>
      {past.length ? <section class="past"><h2>Asked before <button type="button" class="quiet" onClick={() => { forget(); setTurn((turn) => turn + 1); }}>Forget</button></h2>
        <List of={past.slice(0, 12).map((query) => ({ query }))} model={model} /></section> : null}
    </div>
  </details>;
}

function List({ of, model }: { of: Example[]; model: string | null }) {
  return <ul class="queries">{of.map(({ query, said }) => <li key={query}><a href={answerAt(query, model)}>{said ? <span class="said">{said}</span> : null}<Query text={query} /></a></li>)}</ul>;
}
