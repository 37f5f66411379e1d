// Notes, labels and lists of neurons: on a neuron's page, and all of them on their own.

import { useEffect, useState } from "preact/hooks";
import { compareAt, go, neuronAt } from "./address";
import { counted } from "./format";
import { keepList, keepNote, keyParts, noteKey, useNotes } from "./kept";
import { Refusal } from "./parts";
import { Refused } from "./server";
import type { Database } from "./types";
import { words } from "./words";

/** What is kept of one neuron, to be changed. */
export function NoteBox({ neuron, model }: { neuron: string; model: string }) {
  const { kept, fault } = useNotes();
  const key = noteKey(neuron, model);
  const held = kept?.neurons[key];
  const [note, setNote] = useState("");
  const [labels, setLabels] = useState("");
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => { setNote(held?.note ?? ""); setLabels(held?.labels.join(", ") ?? ""); }, [key, held?.changed]);
  useEffect(() => setSaid(null), [key]);
  if (fault) return <section class="note"><h2>Notes</h2><Refusal error={fault} /></section>;
  if (!kept) return null;
  const lists = Object.entries(kept.lists).filter(([, listed]) => listed.includes(key)).map(([name]) => name);
  const apart = labels.split(",").map((each) => each.trim()).filter(Boolean);
  const changed = note.trim() !== (held?.note ?? "") || apart.join(", ") !== (held?.labels.join(", ") ?? "");
  async function keep(event: Event) {
    event.preventDefault();
    try {
      await keepNote(key, note, apart);
      setSaid(`kept in ${kept!.file}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setSaid(error.message);
    }
  }
  async function list(event: Event) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const name = String(new FormData(form).get("list") ?? "").trim();
    if (!name) return;
    try {
      const now = kept!.lists[name] ?? [];
      await keepList(name, now.includes(key) ? now.filter((each) => each !== key) : [...now, key]);
      form.reset();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setSaid(error.message);
    }
  }
  return <section class="note" aria-labelledby="note-title"><h2 id="note-title">Notes</h2>
    {kept.writable ? <>
      <form onSubmit={(event) => void keep(event)}>
        <label for="note">Note on {neuron}</label><textarea id="note" rows={2} maxLength={10000} value={note} onInput={(event) => { setNote(event.currentTarget.value); setSaid(null); }} />
        <label for="labels">Labels, commas between</label><input id="labels" value={labels} onInput={(event) => { setLabels(event.currentTarget.value); setSaid(null); }} />
        <p class="line"><button type="submit" disabled={!changed}>Keep</button><span role="status" class="faint">{said ?? (changed ? "not kept yet" : "")}</span></p></form>
      <form class="inline" onSubmit={(event) => void list(event)}><label for="in-list">{lists.length ? `In ${lists.join(", ")}.` : "In no list."} Put into or take out of</label>
        <input id="in-list" name="list" list="all-lists" maxLength={100} /><datalist id="all-lists">{Object.keys(kept.lists).map((name) => <option key={name} value={name} />)}</datalist><button type="submit">Change</button></form></>
      : <><p>{held?.note || "No note."} {held?.labels.map((label) => <span key={label} class="label">{label}</span>)}</p><p class="faint">{kept.file} cannot be written.</p></>}
  </section>;
}

/** All notes and lists, to be taken along. */
export function NotesPage({ database }: { database: Database }) {
  const { kept, fault } = useNotes();
  useEffect(() => { document.title = "Notes · n2gdb"; }, []);
  const many = database.models.length > 1;
  const at = (key: string) => { const { model, neuron } = keyParts(key); return neuronAt(neuron, many ? model : null); };
  function save() {
    const url = URL.createObjectURL(new Blob([JSON.stringify({ version: 1, neurons: kept?.neurons, lists: kept?.lists }, null, 1)], { type: "application/json" }));
    Object.assign(document.createElement("a"), { href: url, download: kept?.file ?? "notes.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
  if (fault) return <><h1>Notes</h1><Refusal error={fault} /></>;
  const noted = Object.entries(kept?.neurons ?? {});
  const lists = Object.entries(kept?.lists ?? {});
  return <div aria-busy={kept ? undefined : "true"}>
    <header class="title"><div class="line"><h1>Notes and lists</h1><span class="gap" />{noted.length || lists.length ? <button type="button" onClick={save}>Save JSON</button> : null}</div></header>
    {kept ? <p class="measured">They are kept in {kept.file}, beside the database, which itself is never changed{kept.writable ? "" : "; the file cannot be written now"}.</p> : null}
    <section><h2>{words.many[0]!.toUpperCase() + words.many.slice(1)}</h2>{noted.length ? <table class="rows"><thead><tr><th scope="col">{words.one}</th><th scope="col">labels</th><th scope="col">note</th><th scope="col">changed</th></tr></thead>
      <tbody>{noted.map(([key, each]) => <tr key={key}><td class="c-neuron"><a class="neuron" href={at(key)}>{many ? key : keyParts(key).neuron}</a></td><td>{each.labels.map((label) => <span key={label} class="label">{label}</span>)}</td><td class="pre">{each.note}</td><td class="faint">{each.changed.slice(0, 10)}</td></tr>)}</tbody></table>
      : <p class="nothing">No {words.one} has a note yet: write one on its page.</p>}</section>
    <section><h2>Lists</h2>{lists.length ? lists.map(([name, keys]) => <section key={name} class="list"><h3>{name} <span class="faint">{counted(keys.length, words.one)}</span></h3>
      <p class="names">{keys.map((key) => <a key={key} class="neuron" href={at(key)}>{many ? key : keyParts(key).neuron}</a>)}</p>
      <p class="line">{keys.length >= 2 && keys.length <= 6 ? <button type="button" onClick={() => go(compareAt(keys.map((key) => { const { model, neuron } = keyParts(key); return many ? `${neuron}=${model}` : neuron; })))}>Compare</button> : null}
        {kept?.writable ? <button type="button" class="quiet" onClick={() => void keepList(name, [])}>Forget the list</button> : null}</p></section>)
      : <p class="nothing">No lists yet: mark rows of an answer and add them to one.</p>}</section>
  </div>;
}
