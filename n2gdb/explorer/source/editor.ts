// The box's editor: CodeMirror, with completions and mistakes. A file of its own, which comes beside the first answers.

import { autocompletion, acceptCompletion, closeCompletion, completionKeymap, completionStatus, moveCompletionSelection, selectedCompletionIndex, startCompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import { EditorView, ViewPlugin, keymap, placeholder, type ViewUpdate } from "@codemirror/view";
import { KINDS, kindOf, PATTERN } from "./colours";

/** A place of the text that something is wrong at. */
export interface Mistake { from: number; to: number }

const mark = StateEffect.define<Mistake | null>();
const mistake = StateField.define<Mistake | null>({
  create: () => null,
  update: (shown, transaction) => transaction.effects.reduce((now, effect) => (effect.is(mark) ? effect.value : now), transaction.docChanged ? null : shown),
});

// Colours are highlights of the text, not elements in it: where one of these is typed over, a browser keeps its style
// for what is typed, which the page's policy forbids to write. A browser that knows no highlights shows plain text.
const highlight = ViewPlugin.fromClass(class {
  constructor(view: EditorView) { this.paint(view); }
  update({ view }: ViewUpdate) { this.paint(view); }

  paint(view: EditorView) {
    if (!("highlights" in CSS)) return;
    view.requestMeasure({ key: this, read: () => {
      const parts = [...view.state.doc.toString().matchAll(PATTERN)].map((found) => ({ kind: kindOf(found), from: found.index, to: found.index + found[0].length }));
      const wrong = view.state.field(mistake);
      if (wrong) parts.push({ kind: "wrong", ...wrong });
      const { from: start, to: end } = view.viewport;
      for (const kind of KINDS) {
        const ranges = parts.filter((part) => part.kind === kind && part.from < end && part.to > start).map((part) => {
          const [first, last] = [view.domAtPos(Math.max(part.from, start)), view.domAtPos(Math.min(part.to, end))];
          const range = new Range();
          range.setStart(first.node, first.offset);
          range.setEnd(last.node, last.offset);
          return range;
        });
        CSS.highlights.set(`query-${kind}`, new Highlight(...ranges));
      }
    } });
  }
});

const look = EditorView.theme({
  "&": { background: "var(--sheet)", color: "var(--ink)", borderRadius: "6px", border: "1px solid var(--line-strong)", fontSize: "0.98rem" },
  "&.cm-focused": { outline: "none", borderColor: "var(--focus)", boxShadow: "0 0 0 1px var(--focus)" },
  ".cm-content": { font: "0.98rem/1.5 var(--mono)", padding: "0.42rem 0", caretColor: "var(--ink)", minHeight: "1.5rem" },
  ".cm-line": { padding: "0 0.7rem" },
  ".cm-scroller": { fontFamily: "var(--mono)", maxHeight: "11rem", overflow: "auto" },
  ".cm-placeholder": { color: "var(--soft)" },
  ".cm-content ::highlight(query-keyword)": { color: "var(--link)" },
  ".cm-content ::highlight(query-token)": { color: "var(--fire)" },
  ".cm-content ::highlight(query-neuron)": { color: "var(--match)" },
  ".cm-content ::highlight(query-class)": { color: "var(--guess)" },
  ".cm-content ::highlight(query-wrong)": { textDecoration: "underline wavy var(--wrong) 1.5px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection": { background: "color-mix(in srgb, var(--focus) 28%, transparent) !important" },
  ".cm-tooltip": { background: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "6px", boxShadow: "0 6px 24px rgb(0 0 0 / 0.18)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "17rem", minWidth: "15rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "0.16rem 0.6rem", lineHeight: "1.5", display: "flex", justifyContent: "space-between", gap: "1.5rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--link) !important", color: "var(--paper) !important" },
  ".cm-completionDetail": { fontFamily: "var(--sans)", fontStyle: "normal", fontSize: "0.8rem", color: "var(--soft)" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
});

/** What may stand at a place of a text, counted in characters; null where nothing is offered. */
export type Offer = (text: string, at: number, signal: AbortSignal) => Promise<{ from: number; items: { text: string; shown: string; kind: string }[] } | null>;

interface Handlers { changed: (text: string) => void; run: (text: string) => void; offer: Offer; label: string; hint: string }

/** A one-box editor in a place of its own; Enter runs, Shift-Enter breaks the line, Tab takes what is offered. */
export class Editor {
  readonly view: EditorView;

  constructor(place: HTMLElement, text: string, handlers: Handlers) {
    // In a shadow root the editor's styles are adopted: the page's policy allows no style element.
    const root = place.shadowRoot ?? place.attachShadow({ mode: "open", delegatesFocus: true });
    let awaited: string | null = null;
    const take = (view: EditorView): boolean => {
      if ((selectedCompletionIndex(view.state) ?? -1) < 0) moveCompletionSelection(true)(view);
      return acceptCompletion(view);
    };
    const own = Prec.highest(keymap.of([
      { key: "Enter", run: (view) => {
        if (completionStatus(view.state) === "active" && (selectedCompletionIndex(view.state) ?? -1) >= 0) return acceptCompletion(view);
        closeCompletion(view);
        handlers.run(view.state.doc.toString());
        return true;
      } },
      { key: "Tab", run: (view) => {
        const status = completionStatus(view.state);
        if (status === "pending") awaited = view.state.doc.toString(); // taken once it is there
        return status === "pending" || (status === "active" && take(view));
      } },
      { key: "Ctrl-Space", run: startCompletion },
    ]));
    this.view = new EditorView({
      root, parent: root,
      state: EditorState.create({
        doc: text,
        extensions: [own, history(), keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]), EditorView.lineWrapping, mistake, highlight, look,
          placeholder(handlers.hint),
          EditorView.contentAttributes.of({ "aria-label": handlers.label, id: "query", spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
          autocompletion({ override: [offered(handlers.offer)], selectOnOpen: false, icons: false, interactionDelay: 0, activateOnTypingDelay: 80 }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) handlers.changed(update.state.doc.toString());
            if (awaited === null || completionStatus(update.state) === "pending") return;
            const same = awaited === update.state.doc.toString();
            awaited = null;
            if (same && completionStatus(update.state) === "active") setTimeout(() => { if (completionStatus(this.view.state) === "active") take(this.view); });
          })],
      }),
    });
    this.keepFocus(root);
  }

  // A list that is drawn anew while it has the focus loses it in the middle of that; CodeMirror would close it there,
  // which it does not allow itself.
  private keepFocus(root: ShadowRoot): void {
    root.addEventListener("focusout", (event) => {
      const left = event.target as Element;
      if (!left.closest(".cm-tooltip")) return;
      event.stopPropagation();
      setTimeout(() => {
        if (!left.isConnected) this.view.focus();
        else if (!root.activeElement) closeCompletion(this.view);
      });
    }, true);
  }

  get text(): string { return this.view.state.doc.toString(); }

  write(text: string): void {
    if (text !== this.text) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  focus({ select = false } = {}): void {
    this.view.focus();
    if (select) this.view.dispatch({ selection: { anchor: 0, head: this.view.state.doc.length } });
  }

  /** Underline a mistake, given as a line and a column from 1; return where it is on the screen, from the editor's left. */
  mark(line: number | null, column: number | null): number | null {
    if (line === null || column === null || line > this.view.state.doc.lines) {
      this.view.dispatch({ effects: mark.of(null) });
      return null;
    }
    const { from: start, to: end, text } = this.view.state.doc.line(line);
    const at = Math.min(start + [...text].slice(0, column - 1).join("").length, end);
    const word = /^\S+/.exec(this.view.state.doc.sliceString(at, end))?.[0].length ?? 1;
    const [from, to] = at >= end ? [Math.max(start, at - 1), at] : [at, at + word];
    this.view.dispatch({ effects: mark.of({ from, to }) });
    const shown = this.view.coordsAtPos(at);
    return shown ? shown.left - this.view.dom.getBoundingClientRect().left : null;
  }
}

// What the server offers at the cursor, as CodeMirror lists it.
const offered = (offer: Offer) => async (context: CompletionContext): Promise<CompletionResult | null> => {
  const control = new AbortController();
  context.addEventListener("abort", () => control.abort());
  const text = context.state.doc.toString();
  const told = await offer(text, [...context.state.doc.sliceString(0, context.pos)].length, control.signal);
  if (!told?.items.length || (!context.explicit && !context.state.doc.length)) return null;
  const from = [...text].slice(0, told.from).join("").length;
  const typed = text.slice(from, context.pos);
  const options: Completion[] = told.items.filter((item) => item.text !== typed).map((item) => ({ label: item.shown, apply: item.text, detail: item.kind }));
  return options.length ? { from, options, filter: false } : null;
};
