// Keys that act on a page while nobody is typing.

/** Listen to single keys until the signal: `actions` maps a key to what it does. */
export function listen(actions, signal) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (!action || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    action(event);
  }, { signal });
}
