// Questions to the server. A refusal is an error that carries what the server says of it.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { address, type Parameters } from "./address";
import type { Database } from "./types";

export interface Told { message: string; line?: number; column?: number; hint?: string }

export class Refused extends Error {
  line: number | null;
  column: number | null;
  hint: string | null;
  constructor(public status: number, told: Told) {
    super(told.message);
    this.line = told.line ?? null;
    this.column = told.column ?? null;
    this.hint = told.hint ?? null;
  }
}

const meta = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
const KNOWN = meta("n2gdb-server");
const TOKEN = meta("n2gdb-token");

/** What there is to say of the server: it was restarted, has another database, or is gone. */
export type Health = "well" | "restarted" | "other" | "changed" | "gone";

let health: Health = "well";
const watchers = new Set<(now: Health) => void>();

function say(now: Health): void {
  if (now === health) return;
  health = now;
  for (const watcher of watchers) watcher(now);
}

export function useHealth(): Health {
  const [now, setNow] = useState(health);
  useEffect(() => {
    watchers.add(setNow);
    const look = () => { if (!document.hidden) void ping(); };
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    const often = setInterval(look, 20_000);
    return () => {
      watchers.delete(setNow);
      document.removeEventListener("visibilitychange", look);
      removeEventListener("focus", look);
      clearInterval(often);
    };
  }, []);
  return now;
}

/** What the database holds, as the page was told with itself; null where it has to ask. */
export const toldDatabase = (() => {
  const told = meta("n2gdb-database");
  return told ? (JSON.parse(told) as Database | null) : null;
})();

/** Whether the server can run the model. */
export const modelAtHand = meta("n2gdb-model") === "yes";

export async function ping(): Promise<void> {
  try {
    const told = await ask<{ changed: boolean }>("/api/server");
    if (told.changed) say("changed");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

function heard(response: Response): void {
  const server = response.headers.get("N2gdb-Server");
  if (server === null || server === KNOWN) say(health === "changed" ? "changed" : "well");
  else say(server.split(".")[0] === KNOWN.split(".")[0] ? "restarted" : "other");
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, init);
    heard(response);
    return response;
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    say("gone");
    throw new Refused(0, { message: "the server does not answer: is n2gdb serve still running?" });
  }
}

/** Ask the server; throw Refused where it does not answer. */
export async function ask<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  const response = await reach(address(path, parameters), { signal });
  const told = await response.json();
  if (!response.ok || told.error) throw new Refused(response.status, told.error);
  return told as T;
}

/** Change the notes; throw Refused where that is not done. */
export async function change<T>(path: string, what: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json", "N2gdb-Token": TOKEN };
  const response = await reach(path, { method: "POST", headers, body: JSON.stringify(what) });
  const told = await response.json();
  if (!response.ok) throw new Refused(response.status, told.error);
  return told as T;
}

/** Fetch a text, such as a picture. */
export async function fetchText(url: string, signal?: AbortSignal): Promise<string> {
  const response = await reach(url, { signal });
  if (!response.ok) throw new Refused(response.status, (await response.json()).error);
  return response.text();
}

/** Whether a question was given up because its page was left. */
export const isGivenUp = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";

export interface Asked<T> {
  data: T | null;
  error: Refused | null;
  busy: boolean;
  retry: () => void;
  cancel: () => void;
  since: number;
}

/** Ask while a part of the page is shown; what was told stays until something else is. A null path asks nothing. */
export function useAsked<T>(path: string | null, parameters: Parameters = {}): Asked<T> {
  const key = path === null ? null : address(path, parameters);
  const [state, setState] = useState<{ data: T | null; error: Refused | null; busy: boolean; key: string | null }>(
    { data: null, error: null, busy: key !== null, key: null });
  const [tries, setTries] = useState(0);
  const control = useRef<AbortController | null>(null);
  const since = useRef(0);
  useLayoutEffect(() => { // before anything is painted: the answer is awaited the sooner
    if (key === null) {
      setState({ data: null, error: null, busy: false, key });
      return undefined;
    }
    const mine = new AbortController();
    control.current = mine;
    since.current = performance.now();
    setState((before) => ({ ...before, error: null, busy: true }));
    ask<T>(key, {}, mine.signal).then(
      (data) => { if (!mine.signal.aborted) setState({ data, error: null, busy: false, key }); },
      (error) => {
        if (mine.signal.reason === "cancelled") {
          setState((before) => ({ ...before, busy: false, error: new Refused(499, { message: "cancelled: ask again when you like" }) }));
        } else if (error instanceof Refused && !mine.signal.aborted) {
          setState((before) => ({ ...before, busy: false, error }));
        } else if (!mine.signal.aborted) throw error;
      });
    return () => mine.abort();
  }, [key, tries]);
  return { ...state, retry: () => setTries((n) => n + 1), cancel: () => control.current?.abort("cancelled"), since: since.current };
}
