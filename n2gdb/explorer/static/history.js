// The queries that were asked in this browser, the latest first.

const KEY = "n2gdb.queries";
const MOST = 40;

/** Return the queries asked before; none where the browser keeps nothing. */
export function asked() {
  const kept = read(storage()?.getItem(KEY) ?? "[]");
  return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
}

// What another program or an older version left there is no history.
function read(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

// A browser that is told to keep nothing refuses even to be asked.
function storage() {
  try {
    return localStorage;
  } catch (error) {
    if (error.name === "SecurityError") return null;
    throw error;
  }
}

/** Remember a query as the latest. */
export function remember(query) {
  storage()?.setItem(KEY, JSON.stringify([query, ...asked().filter((each) => each !== query)].slice(0, MOST)));
}

export function forget() {
  storage()?.removeItem(KEY);
}
