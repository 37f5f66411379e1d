// The explorer's page: one shell, and the page that the address names.

import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { restoreScroll, usePlace } from "./address";
import { AnswerPage } from "./answer";
import { Bar } from "./bar";
import { ComparePage } from "./compare";
import { HelpPage } from "./help";
import { LayerPage } from "./layer";
import { ModelPage } from "./model";
import { NeuronPage } from "./neuron";
import { NotesPage } from "./noted";
import { PairsPage } from "./pairs";
import { Refusal } from "./parts";
import { ask, Refused, toldDatabase } from "./server";
import { Tips } from "./tips";
import { TrajectoriesPage } from "./trajectories";
import type { Database } from "./types";
import { speakOf } from "./words";
import "./style.css";
import "./pages.css";

const PAGES = { answer: AnswerPage, neuron: NeuronPage, layer: LayerPage, model: ModelPage, compare: ComparePage, pairs: PairsPage, notes: NotesPage, trajectories: TrajectoriesPage, help: HelpPage };

function App() {
  const place = usePlace();
  const [database, setDatabase] = useState<Database | null>(toldDatabase);
  const [error, setError] = useState<Refused | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (toldDatabase && turn === 0) return;
    ask<Database>("/api/database").then((told) => { speakOf(told); setDatabase(told); setError(null); }, (failed) => {
      if (!(failed instanceof Refused)) throw failed;
      setError(failed);
    });
  }, [turn]);
  // Of several models the address names one, or else the first is meant.
  const model = place?.get("model") ?? (database && database.models.length > 1 ? (database.models[0]?.name ?? null) : null);
  const named = `${place?.page} ${place?.names.join(" ")}`;
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (before.current !== null && before.current.split(" ")[0] !== named.split(" ")[0]) {
      restoreScroll();
      if (place?.page !== "answer") document.getElementById("page")?.focus({ preventScroll: true });
    }
    before.current = named;
  }, [named]);
  const Shown = place ? PAGES[place.page] : null;
  return <>
    <Bar place={place} database={database} model={model} />
    <main id="page" tabIndex={-1}>
      {error ? <section><h1>Not shown</h1><Refusal error={error} retry={() => setTurn((now) => now + 1)} /></section> : null}
      {place === null ? <Nowhere /> : database && Shown ? <Shown key={place.page} place={place} database={database} model={model} /> : error ? null : <div aria-busy="true"><h1 class="unseen">n2gdb</h1></div>}
    </main>
    <Tips />
  </>;
}

function Nowhere() {
  useEffect(() => { document.title = "n2gdb"; }, []);
  return <section><h1>Not shown</h1><p class="refusal" role="alert">There is no page {location.pathname}.</p><p><a href="/">Ask a question instead</a></p></section>;
}

render(<App />, document.getElementById("app")!);

document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("page")?.focus();
});
