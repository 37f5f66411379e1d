// What stays: questions asked before, in this browser, and the notes, in a file beside the database.

import { useEffect, useState } from "preact/hooks";
import { ask, change, Refused } from "./server";
import type { Kept } from "./types";

const KEY = "n2gdb.queries";
const MOST = 40;

/** Return the questions asked before, the latest first; none where the browser keeps nothing. */
export function askedBefore(): string[] {
  const kept = read(storage()?.getItem(KEY) ?? "[]");
  return Array.isArray(kept) ? kept.filter((each): each is string => typeof each === "string") : [];
}

// What another program or an older version left there is no history.
function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

// A browser that is told to keep nothing refuses even to be asked.
function storage(): Storage | null {
  try {
    return localStorage;
  } catch (error) {
    if ((error as Error).name === "SecurityError") return null;
    throw error;
  }
}

export function remember(query: string): void {
  storage()?.setItem(KEY, JSON.stringify([query, ...askedBefore().filter((each) => each !== query)].slice(0, MOST)));
}

export function forget(): void {
  storage()?.removeItem(KEY);
}

let kept: Kept | null = null;
let fault: Refused | null = null;
const watchers = new Set<() => void>();
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("n2gdb notes") : null;
tabs?.addEventListener("message", () => void fetchNotes());

function put(now: Kept): void {
  kept = now;
  fault = null;
  for (const watcher of watchers) watcher();
}

export async function fetchNotes(): Promise<void> {
  try {
    put(await ask<Kept>("/api/notes"));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fault = error;
    for (const watcher of watchers) watcher();
  }
}

/** The notes, fetched once a page and again when another tab changes them. */
export function useNotes(): { kept: Kept | null; fault: Refused | null } {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const watcher = () => setTurn((turn) => turn + 1);
    watchers.add(watcher);
    if (kept === null && watchers.size === 1) void fetchNotes();
    return () => { watchers.delete(watcher); };
  }, []);
  return { kept, fault };
}

export const noteKey = (neuron: string, model: string) => `${model}/${neuron}`;

/** Take a key apart; a model's name may hold a slash, a neuron's does not. */
export function keyParts(key: string): { model: string; neuron: string } {
  const at = key.lastIndexOf("/");
  return { model: key.slice(0, at), neuron: key.slice(at + 1) };
}

async function changed(what: unknown): Promise<void> {
  put(await change<Kept>("/api/notes", what));
  tabs?.postMessage("changed");
}

export const keepNote = (key: string, note: string, labels: string[]) => changed({ neuron: key, note, labels });
export const keepList = (list: string, neurons: string[]) => changed({ list, neurons });
