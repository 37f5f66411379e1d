// Keys that act on a page while nobody is typing.

/** Listen to single keys until the signal: `actions` maps a key to what it does. */
export function listen(actions, signal) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (!action || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    if (event.key.startsWith("Arrow") && scrolls(event.target)) return;
    event.preventDefault();
    action(event);
  }, { signal });
}

// Arrows first scroll what is focused, where there is more of it than is seen.
function scrolls(element) {
  return element.matches("[tabindex='0']") &&
    (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
}
