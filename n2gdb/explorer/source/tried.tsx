// A box to type a text into: what the graph predicts on each token, and, with the model at hand, what the neuron does.

import { useEffect, useRef, useState } from "preact/hooks";
import { note, type Place } from "./address";
import { duration } from "./format";
import { Refusal, Waiting } from "./parts";
import { Reading, ReadingKey } from "./reading";
import { ask, modelAtHand, Refused } from "./server";
import type { Cost, Neuron, Token } from "./types";
import { unitOf } from "./words";

const PAUSE = 120; // milliseconds
const LONGEST = 4000;

interface Read { tokens: Token[]; cost: Cost | null; error: Refused | null }

/** The section where a text is tried on a neuron; the address holds the text. */
export function TryText({ neuron, api, model, place }: { neuron: Neuron; api: string; model: string | null; place: Place }) {
  const [text, setText] = useState(place.get("text") ?? "");
  const [truly, setTruly] = useState(false);
  const [read, setRead] = useState<Read>({ tokens: [], cost: null, error: null });
  const [busy, setBusy] = useState<{ since: number; cancel: () => void } | null>(null);
  const [turn, setTurn] = useState(0);
  const timer = useRef(0);
  const isPredicted = Boolean(neuron.n_patterns || neuron.excited_by?.length || neuron.inhibited_by?.length);
  const held = place.get("text") ?? "";
  useEffect(() => { setText((now) => (now.slice(0, LONGEST) === held ? now : held)); }, [held]);
  useEffect(() => {
    if (!text || text.length > LONGEST || !isPredicted) { setRead({ tokens: [], cost: null, error: null }); setBusy(null); return undefined; }
    const mine = new AbortController();
    const run = () => {
      setBusy({ since: performance.now(), cancel: () => mine.abort("cancelled") });
      ask<{ tokens: Token[]; cost?: Cost }>(truly ? `${api}/true` : `${api}/predict`, { text, model }, mine.signal).then(
        ({ tokens, cost }) => { setRead({ tokens, cost: cost ?? null, error: null }); setBusy(null); },
        (error) => {
          if (mine.signal.reason === "cancelled") { setTruly(false); setBusy(null); return; }
          if (mine.signal.aborted) return;
          if (!(error instanceof Refused)) throw error;
          setRead((before) => ({ ...before, error }));
          setBusy(null);
        });
    };
    const waiting = setTimeout(run, truly ? 500 : PAUSE);
    return () => { clearTimeout(waiting); mine.abort(); };
  }, [text, truly, api, model, turn, isPredicted]);
  if (!isPredicted) return null;
  const typed = (now: string) => {
    setText(now);
    clearTimeout(timer.current);
    const path = location.pathname;
    timer.current = window.setTimeout(() => { if (location.pathname === path) note({ text: now.slice(0, LONGEST) || null }); }, 250);
  };
  const { tokens, cost, error } = read;
  const firing = tokens.filter((token) => (cost ? token.fires.true : token.fires.predicted)).length;
  return <section class="try" aria-labelledby="try-title">
    <h2 id="try-title"><label for="try">Try a text</label></h2>
    <textarea id="try" rows={2} spellcheck={false} dir="auto" placeholder="Type or paste a text" value={text} onInput={(event) => typed(event.currentTarget.value)} />
    <div class="line options">
      {modelAtHand ? <label class="check"><input type="checkbox" checked={truly} onChange={() => setTruly((now) => !now)} /> run the model: what the {unitOf(neuron.kind)} really does</label>
        : <span class="faint">Start with <code>n2gdb serve --model</code> to see what the {unitOf(neuron.kind)} really does here.</span>}
      {text.length > LONGEST ? <span class="refusal" role="alert">{text.length.toLocaleString("en")} characters: {LONGEST.toLocaleString("en")} at most are read, and nothing is cut silently; shorten it.</span> : null}
    </div>
    <div class="prediction" aria-busy={busy && !tokens.length ? "true" : undefined}>
      {busy ? <Waiting of={busy} what={truly ? "Running the model" : "Reading"} /> : null}
      {error ? <Refusal error={error} retry={() => setTurn((now) => now + 1)} /> : null}
      {text && tokens.length ? <><Reading tokens={tokens} both={cost !== null} model={model} label={`The text as ${neuron.neuron} reads it`} /><ReadingKey both={cost !== null} />
        <p class="pattern-line faint" role="status">{cost ? `The ${unitOf(neuron.kind)} fires on ${firing} of ${tokens.length} tokens. The model was loaded in ${duration(cost.load_seconds * 1000)}, once; this run took ${duration(cost.run_seconds * 1000)}; its process holds ${(cost.memory / 1e9).toFixed(1)} GB.`
          : firing ? `${firing} of ${tokens.length} tokens fire: point at one, or go through them with the arrows, to see its pattern.` : `None of ${tokens.length} tokens fires.`}</p></> : null}
    </div>
  </section>;
}
