// What may stand at the caret, in a list under it: a combobox. Arrows choose, Tab or Enter takes, Escape leaves.

import { ask, isGivenUp } from "/static/api.js";
import { fill, make } from "/static/dom.js";

const PATIENCE = 70; // milliseconds

export class Completion {
  /** Serve an editor: its box, its text, the place of its characters. */
  constructor(editor) {
    this.editor = editor;
    this.items = [];
    this.chosen = -1;
    this.list = make("ul", { class: "completions", id: "completions", role: "listbox", "aria-label": "What may stand here", hidden: true });
    const { box } = editor;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": "completions",
      "aria-expanded": "false", "aria-haspopup": "listbox" })) box.setAttribute(name, value);
    box.addEventListener("blur", () => this.close());
    box.addEventListener("click", () => this.close());
  }

  /** Ask for what may stand at the caret, once the typing pauses. */
  ask(patience = PATIENCE) {
    clearTimeout(this.waiting);
    this.asking?.abort();
    this.waiting = setTimeout(() => this.fetch(), patience);
  }

  async fetch() {
    const { box, model, signal } = this.editor;
    if (signal.aborted || document.activeElement !== box) return;
    this.asking = new AbortController();
    const at = box.selectionEnd;
    try {
      // The server counts characters; the box counts halves of those beyond the basic plane.
      const told = await ask("/api/complete", { q: box.value, at: [...box.value.slice(0, at)].length, model }, this.asking.signal);
      this.open([...box.value].slice(0, told.from).join("").length, at, told.items);
    } catch (error) {
      if (!isGivenUp(error)) this.close();
    }
  }

  open(from, at, items) {
    const typed = this.editor.text.slice(from, at);
    this.from = from;
    this.at = at;
    this.items = items.filter((item) => item.text !== typed);
    if (!this.items.length) return this.close();
    fill(this.list, this.items.map((item, place) => this.option(item, place)));
    this.list.hidden = false;
    this.editor.box.setAttribute("aria-expanded", "true");
    this.choose(-1);
    const left = this.editor.placeOf(from);
    const most = this.list.parentElement.clientWidth - this.list.offsetWidth - 4;
    this.list.style.setProperty("left", `${Math.max(0, Math.min(left, most))}px`);
    return undefined;
  }

  option(item, place) {
    return make("li", { id: `completion-${place}`, role: "option", "aria-selected": "false",
      onmousedown: (event) => { event.preventDefault(); this.take(place); } },
    make("bdi", {}, item.shown), make("span", { class: "kind" }, item.kind));
  }

  choose(place) {
    this.chosen = place;
    [...this.list.children].forEach((option, each) => option.setAttribute("aria-selected", String(each === place)));
    const { box } = this.editor;
    if (place < 0) box.removeAttribute("aria-activedescendant");
    else {
      box.setAttribute("aria-activedescendant", `completion-${place}`);
      this.list.children[place].scrollIntoView({ block: "nearest" });
    }
  }

  take(place) {
    const { editor } = this;
    const { text } = this.items[place];
    editor.write(editor.text.slice(0, this.from) + text + editor.text.slice(this.at), this.from + text.length);
    this.close();
    editor.box.focus();
  }

  close() {
    clearTimeout(this.waiting);
    this.asking?.abort();
    this.list.hidden = true;
    this.chosen = -1;
    this.editor.box.setAttribute("aria-expanded", "false");
    this.editor.box.removeAttribute("aria-activedescendant");
  }

  /** Handle a key of the box; tell whether it was for the list. */
  takes(event) {
    if (event.key === " " && event.ctrlKey) this.ask(0);
    else if (this.list.hidden || event.isComposing) return false;
    else if (event.key === "ArrowDown") this.choose((this.chosen + 1) % this.items.length);
    else if (event.key === "ArrowUp") this.choose((this.chosen < 1 ? this.items.length : this.chosen) - 1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && !event.shiftKey) this.take(Math.max(this.chosen, 0));
    else if (event.key === "Enter" && this.chosen >= 0) this.take(this.chosen);
    else return false;
    event.preventDefault();
    return true;
  }
}
