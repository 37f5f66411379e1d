// What stands above every page: where one is, where one may go, and the one box for names, words, texts and queries.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { address, answerAt, go, layerAt, modelAt, neuronAt, note, type Place } from "./address";
import type { Editor, Offer } from "./editor";
import { grouped } from "./format";
import { announce, useKeys } from "./parts";
import { ask, isGivenUp, Refused, useHealth, type Health } from "./server";
import type { Database, Meaning } from "./types";
import { words } from "./words";

const PAUSE = 160; // milliseconds without a key before the server is asked

export const ADDRESSED: Record<Health, string | null> = {
  well: null,
  gone: "The server does not answer: is n2gdb serve still running? What is shown stays; it is asked again when you go on.",
  restarted: "The server was started anew, over the same database: reload the page to change notes.",
  other: "The server now has another database: what is shown here is of the one before.",
  changed: "The database file has changed since the server opened it: start n2gdb serve again.",
};

/** The bar; `model` is the one on show. */
export function Bar({ place, database, model }: { place: Place | null; database: Database | null; model: string | null }) {
  const health = useHealth();
  const shown = database?.models.find((each) => each.name === model) ?? database?.models[0];
  const named = database && database.models.length > 1 ? (shown?.name ?? null) : null;
  const current = (page: string) => (place?.page === page ? "page" : undefined);
  return <>
    <header class="bar">
      <a class="brand" href={answerAt(null, named)}><svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true"><path class="sign-line" d="M7 9h9l8 7M7 23h9l8-7" /><circle class="sign-context" cx="7" cy="9" r="4" /><circle class="sign-context" cx="7" cy="23" r="4" /><circle class="sign-fires" cx="25" cy="16" r="5" /></svg>n2gdb</a>
      <nav aria-label="Pages">
        <a href={modelAt(named)} aria-current={current("model")}>Report</a>
        <a href={address("/pairs", { model: named })} aria-current={current("pairs")}>Pairs</a>
        <a href={address("/notes", { model: named })} aria-current={current("notes")}>Notes</a>
        <a href="/help" aria-current={current("help")}>Help</a>
      </nav>
      {shown && shown.layers.length ? <Layers layers={shown.layers} current={place?.page === "layer" ? Number(place.names[0]) : null} model={named} /> : null}
      <span class="gap" />
      {database && database.models.length > 1
        ? <span class="switch"><select aria-label="Model" value={shown?.name} onChange={(event) => switched(place, event.currentTarget.value)}>
          {database.models.map((each) => <option key={each.name} value={each.name}>{each.name}</option>)}</select></span>
        : null}
      {database ? <span class="file faint">{database.file} · {database.models.length === 1 ? `${database.models[0]!.name} · ` : ""}{grouped(database.models.reduce((sum, each) => sum + each.neurons, 0))} {words.many} · n2gdb {database.version}</span> : null}
    </header>
    {ADDRESSED[health] ? <p class="health" role="alert">{ADDRESSED[health]} <button type="button" onClick={() => location.reload()}>Reload</button></p> : null}
    <Box place={place} model={named} />
  </>;
}

function switched(place: Place | null, model: string): void {
  if (place?.page === "neuron" || place?.page === "layer" || place?.page === "compare" || place?.page === "trajectories") go(modelAt(model));
  else note({ model, y: null, rows: null }, { push: true });
}

// As many layers as fit are links; all of many are reached by a choice.
function Layers({ layers, current, model }: { layers: number[]; current: number | null; model: string | null }) {
  if (layers.length > 16) {
    return <span class="switch"><span class="faint" aria-hidden="true">Layer </span><select aria-label="Layer" value={current === null ? "" : String(current)}
      onChange={(event) => { if (event.currentTarget.value) go(layerAt(Number(event.currentTarget.value), model)); }}>
      <option value="">–</option>{layers.map((layer) => <option key={layer} value={String(layer)}>{layer}</option>)}</select></span>;
  }
  return <nav class="layers" aria-label="Layers"><span class="faint" aria-hidden="true">Layers</span>
    {layers.map((layer) => <a key={layer} href={layerAt(layer, model)} aria-label={`Layer ${layer}`} aria-current={layer === current ? "page" : undefined}>{layer}</a>)}</nav>;
}

/** Where a meaning of an input leads. */
function leads(meaning: Meaning, said: string, model: string | null): string | null {
  if (meaning.error) return null;
  if (meaning.neuron) return neuronAt(meaning.neuron, model === null ? null : meaning.model);
  return address("/", { q: meaning.query, model, said: meaning.kind === "query" ? null : said });
}

// It is half of the page's script, and what the page shows does not wait for it.
const loading = import("./editor");

const offer: Offer = async (text, at, signal) => {
  try {
    return await ask("/api/complete", { q: text, at }, signal);
  } catch (error) {
    if (isGivenUp(error) || error instanceof Refused) return null; // asking says what is wrong
    throw error;
  }
};

const TITLES: Record<string, string> = { neuron: "name", word: "word", mention: "word in a pattern", text: "text", query: "query" };

function Box({ place, model }: { place: Place | null; model: string | null }) {
  const root = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const q = place?.page === "answer" ? place.get("q") : null;
  const latest = useRef<{ model: string | null; q: string; focus?: { select?: boolean } }>({ model, q: q ?? "" });
  Object.assign(latest.current, { model, q: q ?? "" });
  const [meanings, setMeanings] = useState<Meaning[]>([]);
  const [at, setAt] = useState<number | null>(null);
  const [text, setText] = useState("");
  const [dirty, setDirty] = useState(false);
  const asking = useRef<AbortController | null>(null);
  const waiting = useRef(0);

  const understand = useCallback(async (said: string): Promise<Meaning[]> => {
    asking.current?.abort();
    asking.current = new AbortController();
    if (!said.trim()) return [];
    return (await ask<{ meanings: Meaning[] }>("/api/understand", { text: said, model: latest.current.model }, asking.current.signal)).meanings;
  }, []);

  const look = useCallback(async (said: string) => {
    try {
      const found = await understand(said);
      setMeanings(found);
      const error = found[0]?.error ?? null;
      setAt(editor.current?.mark(error?.line ?? null, error?.column ?? null) ?? null);
    } catch (error) {
      if (!isGivenUp(error) && !(error instanceof Refused)) throw error;
    }
  }, [understand]);

  const run = useCallback(async (said: string) => {
    clearTimeout(waiting.current);
    if (!said.trim()) return;
    try {
      const found = await understand(said);
      setMeanings(found);
      const [first] = found;
      const href = first ? leads(first, said.trim(), latest.current.model) : null;
      if (href !== null) {
        setDirty(false);
        if (href === location.pathname + location.search) dispatchEvent(new Event("ask-again"));
        go(href);
      } else if (first?.error) {
        setDirty(true);
        setAt(editor.current?.mark(first.error.line ?? null, first.error.column ?? null) ?? null);
        announce(first.error.message);
      }
    } catch (error) {
      if (error instanceof Refused) announce(error.message);
      else if (!isGivenUp(error)) throw error;
    }
  }, [understand]);

  useEffect(() => {
    void loading.then(({ Editor }) => {
      if (!root.current || editor.current) return;
      editor.current = new Editor(root.current, latest.current.q, {
        label: `Ask: a ${words.one}, a word, a text or a query`, hint: `A ${words.one} (${words.named}), a word, a text, or a query`, offer, run: (said) => void run(said),
        changed: (now) => {
          setText(now);
          setDirty(true);
          setAt(null);
          clearTimeout(waiting.current);
          waiting.current = window.setTimeout(() => void look(now), PAUSE);
        },
      });
      if (latest.current.focus) editor.current.focus(latest.current.focus);
    });
  }, []);

  // Before the editor is there, the focus waits for it.
  const focus = (how: { select?: boolean }) => {
    latest.current.focus = how;
    editor.current?.focus(how);
  };

  // The address says what is asked: the box follows it.
  const page = `${place?.page} ${place?.names.join(" ")}`;
  useEffect(() => {
    clearTimeout(waiting.current);
    editor.current?.write(q ?? "");
    clearTimeout(waiting.current);
    setDirty(false);
    setMeanings([]);
    setText(q ?? "");
    latest.current.focus = undefined;
    if (place?.page === "answer" && q === null && matchMedia("(pointer: fine)").matches) focus({});
    const said = place?.get("said");
    if (said) void understand(said).then(setMeanings, (error) => { if (!isGivenUp(error) && !(error instanceof Refused)) throw error; });
  }, [q, page]);

  // What the answer was refused for is shown at its place in the query.
  useEffect(() => {
    const refused = () => void look(editor.current?.text ?? "");
    addEventListener("query-refused", refused);
    return () => removeEventListener("query-refused", refused);
  }, [look]);

  useKeys({ "/": () => focus({ select: true }), "?": () => go("/help") });

  const said = dirty ? text.trim() : (place?.get("said") ?? "");
  const [first] = meanings;
  const wrong = first?.error ?? null;
  return <form class="ask" role="search" onSubmit={(event) => { event.preventDefault(); void run(editor.current?.text ?? ""); }}>
    <div class="line"><div class="editor" ref={root} /><button class="primary" type="submit">Ask</button></div>
    {wrong ? <p class="mistake" id="mistake" role="status" style={{ "--at": `${at ?? 0}px` }}>
      {at === null ? null : <span class="caret" aria-hidden="true">▲</span>}<span class="told">{wrong.message}{wrong.hint ? <span class="faint"> {wrong.hint}</span> : null}</span></p> : null}
    {meanings.length > 1 && said ? <div class="meanings" role="group" aria-label="What it is taken for">
      <span class="faint">{dirty ? "Enter asks for" : `“${said.length > 40 ? `${said.slice(0, 40)}…` : said}” is taken for`}</span>
      {meanings.map((meaning, number) => {
        const href = leads(meaning, said, model);
        const now = dirty ? number === 0 : href === location.pathname + location.search || (q !== null && meaning.query === q);
        return href === null ? null : <a key={number} class="meaning" href={href} aria-current={now ? "true" : undefined} data-tip={meaning.said}>{meaning.neuron ? words.one : TITLES[meaning.kind]}{meaning.kind === "neuron" && meaning.model && model ? ` of ${meaning.model}` : ""}</a>;
      })}</div> : null}
  </form>;
}
