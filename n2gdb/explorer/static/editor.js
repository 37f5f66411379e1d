// The query box: a text area over a mirror of itself that carries colours, the mistake and the caret's place.

import { address, ask, isGivenUp } from "/static/api.js";
import { Completion } from "/static/completion.js";
import { fill, make } from "/static/dom.js";
import { coloured } from "/static/highlight.js";

const PATIENCE = 150; // milliseconds without a key before a query is checked

export class Editor {
  /** Take what is asked on Enter: `onrun(text)`; `model` may be null. */
  constructor({ text, model, signal, onrun }) {
    this.model = model;
    this.signal = signal;
    this.onrun = onrun;
    this.mistake = null;
    this.mirror = make("div", { class: "mirror", "aria-hidden": "true" });
    this.said = make("p", { class: "mistake", id: "mistake", role: "status", "aria-live": "polite" });
    this.box = make("textarea", {
      id: "query", class: "query", rows: 1, maxlength: 4000, spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      placeholder: "neurons MATCHING 'the' BEFORE ...", "aria-label": "Query", "aria-describedby": "mistake",
      oninput: () => this.changed(), onkeydown: (event) => this.pressed(event),
    });
    this.box.value = text;
    this.completion = new Completion(this);
    this.element = make("div", { class: "editor" },
      make("div", { class: "sheet" }, this.mirror, this.box), this.said, this.completion.list);
    new ResizeObserver(() => this.point()).observe(this.mirror);
    this.paint();
  }

  get text() {
    return this.box.value;
  }

  /** Put another text in the box, the caret at its end or where told. */
  write(text, caret = text.length) {
    this.box.value = text;
    this.box.setSelectionRange(caret, caret);
    this.changed({ quiet: true });
  }

  changed({ quiet = false } = {}) {
    this.mark(null);
    if (!quiet) this.completion.ask();
    clearTimeout(this.waiting);
    this.checking?.abort();
    this.waiting = setTimeout(() => this.check(), PATIENCE);
  }

  pressed(event) {
    if (this.completion.takes(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.completion.close();
      this.onrun(this.text);
    }
  }

  async check() {
    if (this.signal.aborted || !this.text.trim()) return;
    this.checking = new AbortController();
    try {
      const response = await fetch(address("/api/check", { q: this.text, model: this.model }), { signal: this.checking.signal });
      const told = await response.json();
      this.mark(told.error ?? null);
    } catch (error) {
      if (!isGivenUp(error)) this.mark({ message: "the server does not answer: is n2gdb serve still running?" });
    }
  }

  /** Show a mistake { message, line, column, length, hint } where it stands; null for none. */
  mark(mistake) {
    this.mistake = mistake;
    this.box.setAttribute("aria-invalid", mistake ? "true" : "false");
    fill(this.said, mistake ? [make("span", { class: "caret", "aria-hidden": "true" }, "▲"), make("span", { class: "told" },
      mistake.message, mistake.hint ? make("span", { class: "faint" }, ` ${mistake.hint}`) : null)] : null);
    this.paint();
  }

  /** Draw the mirror: colours, the mistake underlined, an empty span where the caret stands. */
  paint() {
    const range = mistakeRange(this.text, this.mistake);
    let at = 0;
    const pieces = coloured(this.text).flatMap(([kind, text]) => {
      const cuts = [at, ...range.filter((cut) => cut > at && cut < at + text.length), at + text.length];
      const start = at;
      at += text.length;
      return cuts.slice(1).map((end, place) => {
        const wrong = range.length && cuts[place] >= range[0] && end <= range[1];
        return make("span", { class: `${kind}${wrong ? " wrong" : ""}` }, text.slice(cuts[place] - start, end - start));
      });
    });
    if (range.length && range[0] >= this.text.length) pieces.push(make("span", { class: "wrong" }, " "));
    fill(this.mirror, pieces, make("span", {}, "\u200b"));
    this.point();
  }

  /** Bring what is told of a mistake under its place. */
  point() {
    const wrong = this.mirror.querySelector(".wrong");
    const place = wrong ? wrong.getBoundingClientRect().left - this.mirror.getBoundingClientRect().left : 0;
    this.said.style.setProperty("--at", `${Math.max(0, place)}px`);
    this.said.classList.toggle("far", place > this.mirror.clientWidth / 2);
  }

  /** Return how far from the sheet's left a character of the text stands, in pixels. */
  placeOf(index) {
    const walker = document.createTreeWalker(this.mirror, NodeFilter.SHOW_TEXT);
    let left = index;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (left <= node.length) {
        const range = document.createRange();
        range.setStart(node, left);
        range.collapse(true);
        return range.getBoundingClientRect().left - this.mirror.getBoundingClientRect().left;
      }
      left -= node.length;
    }
    return 0;
  }
}

// A mistake's [start, end) in the text; lines and columns count characters, not halves of them, from 1.
function mistakeRange(text, mistake) {
  if (!mistake?.column) return [];
  const before = text.split("\n").slice(0, (mistake.line ?? 1) - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const line = [...text.slice(before).split("\n", 1)[0]];
  const start = before + line.slice(0, mistake.column - 1).join("").length;
  const rest = line.slice(mistake.column - 1);
  const length = mistake.length ?? wordOf(rest);
  const end = start + rest.slice(0, Math.max(1, length)).join("").length;
  return [start, Math.max(end, start + 1)];
}

// The server says where a mistake begins: it is the word there.
function wordOf(characters) {
  const end = characters.findIndex((character) => !/[\p{L}\p{N}_]/u.test(character));
  return end < 0 ? characters.length : end;
}
