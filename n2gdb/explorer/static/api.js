// Questions to the server. A refusal is an error that carries what the server says of it.

export class Refused extends Error {
  constructor(status, told) {
    super(told.message);
    this.status = status;
    this.line = told.line ?? null;
    this.column = told.column ?? null;
    this.length = told.length ?? null;
    this.hint = told.hint ?? null;
  }
}

/** Write the address of a question; parameters that are null are left out. */
export function address(path, parameters = {}) {
  const kept = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return query ? `${path}?${query}` : path;
}

/** Ask the server; throw Refused where it does not answer. */
export async function ask(path, parameters, signal) {
  const response = await reach(address(path, parameters), signal);
  const told = await response.json();
  if (!response.ok) throw new Refused(response.status, told.error);
  if (told.error) throw new Refused(response.status, told.error);
  return told;
}

/** Fetch a text, such as a picture; throw Refused where there is none. */
export async function fetchText(url, signal) {
  const response = await reach(url, signal);
  if (!response.ok) throw new Refused(response.status, (await response.json()).error);
  return response.text();
}

async function reach(url, signal) {
  try {
    return await fetch(url, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "the server does not answer: is n2gdb serve still running?" });
  }
}

/** Whether a question was given up because its page was left. */
export function isGivenUp(error) {
  return error.name === "AbortError";
}
