// The answer page: what a query finds, sorted and searched as a whole, loaded as one scrolls, narrowed by facets.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { address, answerAt, compareAt, go, note, restoreScroll, type Place } from "./address";
import { Counts } from "./counts";
import { Explained, Stages } from "./explained";
import { counted, duration, figure, grouped, score } from "./format";
import { keepList, noteKey, remember, useNotes } from "./kept";
import { announce, Chip, Copy, FewKey, isFew, Loaded, Meter, PathLine, Refusal, useKeys, Waiting } from "./parts";
import { Picture } from "./picture";
import { ask, Refused, useAsked } from "./server";
import { Suggestions } from "./suggestions";
import type { Answer, Database, Facet, Row } from "./types";
import { titled, words } from "./words";

const TOGETHER = 50;
const MOST = 200; // rows that the server gives at once
const PAUSE = 200; // milliseconds without a key before the server is asked

/** The page of the query that the address holds. */
export function AnswerPage({ place, database, model }: { place: Place; database: Database; model: string | null }) {
  const q = place.get("q");
  const [, setTurn] = useState(0);
  useEffect(() => {
    document.title = q ? `${q} · n2gdb` : "n2gdb";
    const again = () => setTurn((turn) => turn + 1);
    addEventListener("ask-again", again);
    return () => removeEventListener("ask-again", again);
  }, [q]);
  return <>
    <h1 class={q ? "unseen" : ""}>{q ? "Answer" : `What does each ${words.one} fire on?`}</h1>
    {q ? <Found key={`${q} ${model}`} q={q} model={model} place={place} many={database.models.length > 1} file={database.file} /> : null}
    <Suggestions open={q === null} model={model} />
  </>;
}

interface State { answer: Answer | null; rows: Row[]; pictures: string[]; busy: boolean; error: Refused | null; since: number }

function Found({ q, model, place, many, file }: { q: string; model: string | null; place: Place; many: boolean; file: string }) {
  const order = place.get("order");
  const find = place.get("find");
  const [state, setState] = useState<State>({ answer: null, rows: [], pictures: [], busy: true, error: null, since: performance.now() });
  const [turn, setTurn] = useState(0);
  const [whole, setWhole] = useState<number | null>(null);
  const [doing, setDoing] = useState<string | null>(null);
  const control = useRef<AbortController | null>(null);
  const rows = useRef<Row[]>([]);

  // The rows that the address says, 200 at a time; then their pictures.
  const load = useCallback(async (from: number, upTo: number, fresh: boolean) => {
    control.current?.abort();
    const mine = new AbortController();
    control.current = mine;
    setState((before) => ({ ...before, busy: true, error: null, since: performance.now() }));
    try {
      let at = from;
      let answer: Answer | null = null;
      if (fresh) rows.current = [];
      while (answer === null || (at < upTo && at < answer.total && answer.rows.length)) {
        const parameters = { q, model, order, find, limit: Math.min(MOST, upTo - at), offset: at };
        answer = await ask<Answer>("/api/query", parameters, mine.signal);
        rows.current = [...rows.current.slice(0, at), ...answer.rows];
        at += answer.rows.length;
        if (!answer.rows.length) break;
      }
      const told = answer;
      setState((before) => ({ ...before, answer: told, rows: rows.current, busy: false, pictures: fresh ? [] : before.pictures }));
      if (fresh) {
        remember(q);
        announce(counted(told.total, told.noun));
      }
      if (find === null) setWhole(told.total);
      if (told.kind === "neurons") {
        for (let first = from; first < rows.current.length; first += MOST) {
          const parameters = { q, model, order, find, limit: Math.min(MOST, rows.current.length - first), offset: first };
          const { pictures } = await ask<{ pictures: string[] }>("/api/pictures", parameters, mine.signal);
          setState((before) => ({ ...before, pictures: [...before.pictures.slice(0, first), ...pictures] }));
        }
      }
    } catch (error) {
      if (mine.signal.reason === "cancelled") {
        setState((before) => ({ ...before, busy: false, error: new Refused(499, { message: "The question was cancelled." }) }));
      } else if (error instanceof Refused && !mine.signal.aborted) {
        setState((before) => ({ ...before, busy: false, error }));
        if (error.column !== null) dispatchEvent(new Event("query-refused"));
      }
      else if (!mine.signal.aborted) throw error;
    }
  }, [q, model, order, find]);

  useLayoutEffect(() => {
    const wanted = Math.max(TOGETHER, Number(place.get("rows") ?? 0) || 0);
    void load(0, wanted, true);
    return () => control.current?.abort();
  }, [load, turn]);

  // Of a slow question: what it does, as EXPLAIN says.
  useEffect(() => {
    if (!state.busy) { setDoing(null); return undefined; }
    const mine = new AbortController();
    const timer = setTimeout(() => {
      ask<{ stages: { step: string }[] }>("/api/explain", { q, model }, mine.signal).then(
        ({ stages }) => setDoing(stages.map((stage) => stage.step).join(", then ")), () => setDoing(null));
    }, 900);
    return () => { clearTimeout(timer); mine.abort(); };
  }, [state.busy, q, model]);

  useEffect(() => (state.answer ? restoreScroll() : undefined), [state.answer !== null]);

  const { answer } = state;
  const more = useCallback(() => {
    const to = rows.current.length + TOGETHER;
    note({ rows: to });
    void load(rows.current.length, to, false);
  }, [load]);

  const listed = answer && ["neurons", "patterns", "tokens"].includes(answer.kind);
  return <section class="answer" aria-label="Answer" aria-busy={state.busy && !answer ? "true" : undefined}>
    {state.busy ? <Waiting of={{ since: state.since, cancel: () => control.current?.abort("cancelled") }} what={doing ? `Asking: ${doing}.` : "Asking."} /> : null}
    {state.error ? <Refusal error={state.error} retry={state.error.column === null ? () => setTurn((now) => now + 1) : undefined} /> : null}
    {answer ? <>
      <div class="summary">
        <h2><strong>{grouped(answer.total)}</strong> {answer.total === 1 ? answer.noun : `${answer.noun}s`}{find && whole !== null ? <span class="faint"> of {grouped(whole)}</span> : null}</h2>
        <span class="faint">{duration(answer.milliseconds)}</span><span class="gap" />
        {listed && (whole ?? 0) > 1 ? <Filter find={find} /> : null}
        {answer.kind === "stages" ? null : <Explained q={q} model={model} open={place.get("cypher") === "yes"} />}
        {listed ? <Take q={q} model={model} file={file} /> : null}
      </div>
      {answer.notices.map((notice) => <p key={notice} class="notice">{notice}</p>)}
      {answer.kind === "counts" ? <Counts answer={answer} q={q} model={model} />
        : answer.kind === "stages" ? <Stages of={answer.rows as never} />
          : <div class="found">
            <div class="listed">
              {state.rows.length ? <Table answer={answer} rows={state.rows} pictures={state.pictures} model={model} many={many} order={order} place={place} />
                : <p class="nothing">{find ? "No row shows that." : "Nothing was found."}</p>}
              {state.rows.length < answer.total && state.rows.length ? <More left={answer.total - state.rows.length} busy={state.busy} more={more} /> : null}
            </div>
            {(whole ?? 0) > 1 && answer.kind !== "tokens" ? <Facets q={q} model={model} /> : null}
          </div>}
    </> : null}
  </section>;
}

function Filter({ find }: { find: string | null }) {
  const timer = useRef(0);
  return <label class="filter"><span class="unseen">Search the whole answer</span>
    <input type="search" placeholder="Search the answer" defaultValue={find ?? ""} onInput={(event) => {
      const text = event.currentTarget.value.trim();
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => note({ find: text, rows: null, y: null }), PAUSE);
    }} /></label>;
}

// More rows come as one scrolls to the last; the button does the same.
function More({ left, busy, more }: { left: number; busy: boolean; more: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current || busy) return undefined;
    const watch = new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting)) more(); }, { rootMargin: "400px" });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [busy, more]);
  return <div class="more" ref={place}><button type="button" disabled={busy} onClick={more}>{grouped(left)} more</button></div>;
}

function Take({ q, model, file }: { q: string; model: string | null; file: string }) {
  const name = q.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "answer";
  async function save(format: "csv" | "json") {
    try {
      const { text } = await ask<{ text: string }>("/api/take", { q, model, format });
      const url = URL.createObjectURL(new Blob([text], { type: format === "csv" ? "text/csv" : "application/json" }));
      const link = Object.assign(document.createElement("a"), { href: url, download: `${name}.${format}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      announce(error.message);
    }
  }
  const within = model === null || /\bIN\s+MODEL\b/i.test(q) ? q : q.replace(/^(\s*(?:COUNT\s+)?\w+)/i, `$1 IN MODEL '${model.replace(/['\\]/g, "\\$&")}'`);
  return <details class="menu"><summary>Take away</summary><div class="panel">
    <button type="button" onClick={() => void save("csv")}>Save CSV</button>
    <button type="button" onClick={() => void save("json")}>Save JSON</button>
    <Copy text={() => `import n2gdb\n\nanswer = n2gdb.open(${JSON.stringify(file)}).query(${JSON.stringify(within)})`}>Copy as Python</Copy>
    <Copy text={() => `n2gdb query '${within.replaceAll("'", "'\\''")}' --db '${file.replaceAll("'", "'\\''")}'`}>Copy as command</Copy>
    <Copy text={() => location.href}>Copy link</Copy>
  </div></details>;
}

function Facets({ q, model }: { q: string; model: string | null }) {
  const told = useAsked<{ facets: Facet[] }>("/api/facets", { q, model });
  return <aside class="facets" aria-label="Narrow the answer">
    <Loaded of={told} what="Counting">{({ facets }) => (facets.length ? <>
      {facets.map((facet) => {
        const most = Math.max(...facet.groups.map((group) => group.count));
        return <section key={facet.name}><h3>{facet.title}</h3><ul>{facet.groups.map((group) =>
          <li key={group.said}><a href={answerAt(group.query, model)} data-tip={group.query}>
            <span class="said">{group.said}</span><span class="number">{grouped(group.count)}</span>
            <span class="share" style={{ "--share": group.count / most }} /></a></li>)}</ul></section>;
      })}</> : null)}</Loaded>
  </aside>;
}

const titleOf = (column: string, answer: Answer) => (column === "neuron" ? (answer.kind === "neurons" ? answer.noun : words.one) : titled(column));
const SHARES = new Set(["f1", "precision", "recall", "similarity", "heldout_f1", "heldout_precision", "heldout_recall", "confidence"]);

function Table({ answer, rows, pictures, model, many, order, place }:
{ answer: Answer; rows: Row[]; pictures: string[]; model: string | null; many: boolean; order: string | null; place: Place }) {
  const [marked, setMarked] = useState<Set<number>>(new Set());
  const body = useRef<HTMLTableSectionElement>(null);
  const { kept } = useNotes();
  const named = answer.kind === "neurons" && answer.columns.includes("neuron");
  const drawn = named;
  const picked = [...marked].map((at) => rows[at]).filter((row): row is Row => row !== undefined && row.neuron !== undefined);
  const move = (by: number) => {
    const links = [...(body.current?.querySelectorAll<HTMLElement>("tr > td a.neuron, tr > td .token") ?? [])].filter((link, at, all) => link.closest("tr") !== all[at - 1]?.closest("tr"));
    const now = links.findIndex((link) => link.closest("tr")?.contains(document.activeElement));
    const next = links[now < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, now + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const mark = (at: number) => setMarked((before) => { const now = new Set(before); if (!now.delete(at)) now.add(at); return now; });
  useKeys({ j: () => move(1), k: () => move(-1), x: () => {
    const row = document.activeElement?.closest("tr[data-row]");
    if (row) mark(Number((row as HTMLElement).dataset.row));
  } });
  const [sorted, direction] = order?.split(" ") ?? [null, null];
  const sort = (column: string) => {
    const falls = sorted === column ? direction !== "desc" : column !== "neuron" && column !== "model" && column !== "state";
    note({ order: `${column}${falls ? " desc" : ""}`, rows: null, y: null });
  };
  return <>
    {picked.length ? <Picked rows={picked} model={model} clear={() => setMarked(new Set())} /> : null}
    <div class="scroll" tabIndex={0} role="group" aria-label="Rows"><table class="rows">
      <caption class="unseen">{rows.length < answer.total ? `The first ${rows.length} of ${answer.total} rows; sorting and searching act on all of them` : "All rows"}</caption>
      <thead><tr>
        {named ? <th scope="col"><span class="unseen">mark</span></th> : null}
        {answer.columns.map((column) => {
          const title = titleOf(column, answer);
          const aria = sorted === column ? (direction === "desc" ? "descending" : "ascending") : undefined;
          return <th key={column} scope="col" class={`c-${column}${numeric(column) ? " number" : ""}`} aria-sort={aria as never}>
            {answer.sortable.includes(column) ? <button type="button" onClick={() => sort(column)} data-tip={`sort all ${grouped(answer.total)} rows by ${title}`}>{title}</button> : title}</th>;
        })}
        {drawn ? <th scope="col" class="c-picture">picture</th> : null}
      </tr></thead>
      <tbody ref={body}>{rows.map((row, at) => {
        const noted = row.neuron && row.model ? kept?.neurons[noteKey(row.neuron, String(row.model))] : undefined;
        return <tr key={at} data-row={at}>
          {named ? <td class="c-mark"><label class="check"><input type="checkbox" checked={marked.has(at)} onChange={() => mark(at)} aria-label={`Mark ${row.neuron}`} /></label></td> : null}
          {answer.columns.map((column) => <td key={column} class={`c-${column}${numeric(column) ? " number" : ""}`} data-title={titleOf(column, answer)}>
            <Cell column={column} row={row} model={model} many={many} place={place} />
            {column === "neuron" && noted ? <span class="labels">{noted.labels.map((label) => <span key={label} class="label">{label}</span>)}{noted.note ? <span class="label note" data-tip={noted.note}>note</span> : null}</span> : null}
          </td>)}
          {drawn ? <td class="c-picture">{pictures[at] ? <Picture svg={pictures[at]!} kind="thumbnail" /> : null}</td> : null}
        </tr>;
      })}</tbody>
    </table></div>
    <FewKey shown={rows.some((row) => answer.columns.some((column) => SHARES.has(column) && isFew(firingsOf(column, row))))} />
  </>;
}

/** The firings that a figure of a row rests on, where the row has them too. */
function firingsOf(column: string, row: Row): number | null {
  const by = column.startsWith("heldout_") ? row.heldout_firings : ["f1", "precision", "recall"].includes(column) ? row.true_firings : null;
  return typeof by === "number" ? by : null;
}

const WORDS = new Set(["neuron", "model", "path", "token", "state", "source", "kind", "side", "role"]);
const numeric = (column: string) => !WORDS.has(column);

function Cell({ column, row, model, many, place }: { column: string; row: Row; model: string | null; many: boolean; place: Place }) {
  const value = row[column];
  if (column === "neuron" && row.neuron) {
    return <a class="neuron" href={address(`/neuron/${encodeURIComponent(row.neuron)}`, { model: many ? String(row.model) : null, text: firedText(place) })}>{row.neuron}</a>;
  }
  if (column === "path") {
    const paths = row.evidence ? row.evidence.map((found) => found.path) : row.path ? [row.path] : [];
    return <>{paths.map((path, at) => <PathLine key={at} path={path} model={model} />)}</>;
  }
  if (column === "token") return <Chip shown={row.shown ?? String(value)} kind="fires" href={answerAt(`${words.many} MENTIONING ${JSON.stringify(String(value))}`, model)} />;
  if (value === null || value === undefined) return <span class="faint">–</span>;
  if (SHARES.has(column) && typeof value === "number") return <Meter value={value} firings={firingsOf(column, row)} />;
  if (typeof value === "number") return <>{column === "activation" || column === "importance" ? score(value) : Number.isInteger(value) ? grouped(value) : figure(value)}</>;
  return <>{String(value)}</>;
}

// A neuron found by a text opens with that text in its box.
function firedText(place: Place): string | null {
  const found = /\bFIRING\s+ON\s+"((?:[^"\\]|\\.)*)"/i.exec(place.get("q") ?? "");
  return found ? found[1]!.replace(/\\(.)/g, (_, sign: string) => ({ n: "\n", t: "\t", r: "\r" })[sign] ?? sign) : null;
}

function Picked({ rows, model, clear }: { rows: Row[]; model: string | null; clear: () => void }) {
  const { kept } = useNotes();
  const names = rows.map((row) => (model === null ? row.neuron! : `${row.neuron}=${row.model}`));
  const [said, setSaid] = useState<string | null>(null);
  async function list(event: Event) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get("list") ?? "").trim();
    if (!name) return;
    try {
      await keepList(name, [...(kept?.lists[name] ?? []), ...rows.map((row) => noteKey(row.neuron!, String(row.model)))]);
      setSaid(`added to ${name}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setSaid(error.message);
    }
  }
  return <div class="picked" role="group" aria-label="Marked rows"><strong>{counted(rows.length, words.one)} marked</strong>
    <button type="button" disabled={rows.length < 2 || rows.length > 6} onClick={() => go(compareAt(names))}>Compare</button>
    {kept?.writable ? <form class="inline" onSubmit={(event) => void list(event)}>
      <label><span class="unseen">List</span><input name="list" list="lists" placeholder="a list" defaultValue={Object.keys(kept.lists)[0] ?? ""} maxLength={100} /></label>
      <datalist id="lists">{Object.keys(kept.lists).map((name) => <option key={name} value={name} />)}</datalist>
      <button type="submit">Add to the list</button></form> : null}
    {said ? <span role="status">{said}</span> : null}
    <button type="button" class="quiet" onClick={clear}>Unmark</button></div>;
}

