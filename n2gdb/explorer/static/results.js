// The answer to a query: rows of neurons, patterns or tokens, counts as bars, or the steps of an EXPLAIN.

import { ask, isGivenUp } from "/static/api.js";
import { countBars } from "/static/counts.js";
import { announce, fill, make } from "/static/dom.js";
import { explanation, stepsOf } from "/static/explain.js";
import { counted, duration, grouped } from "/static/format.js";
import { columnsOf } from "/static/columns.js";
import { Table } from "/static/table.js";

const TOGETHER = 50;
const PAUSE = 200; // milliseconds without a key before the server is asked

export class Results {
  /** Show answers in a place; `manyModels` says that rows name their model. */
  constructor(place, { model, manyModels, signal }) {
    Object.assign(this, { place, model, manyModels, signal, table: null, loaded: 0, order: null, find: null });
  }

  /** Ask and show the first rows; throw Refused where the query is not answered. */
  async show(query) {
    this.query = query;
    this.table = null;
    this.loaded = 0;
    this.order = null;
    this.find = null;
    this.place.setAttribute("aria-busy", "true");
    try {
      const told = await this.fetch();
      this.loaded = told.rows.length;
      this.total = told.total;
      this.whole = told.total;
      fill(this.place, this.summary(told), told.notices.map((notice) => make("p", { class: "notice" }, notice)), this.body(told));
      announce(`${counted(told.total, noun(told.kind))}`);
    } finally {
      this.place.removeAttribute("aria-busy");
    }
  }

  fetch() {
    return ask("/api/query", { q: this.query, limit: TOGETHER, offset: this.loaded, model: this.model, order: this.order, find: this.find }, this.signal);
  }

  summary(told) {
    const filters = ["neurons", "patterns", "tokens"].includes(told.kind) && told.rows.length > 1;
    const cypher = make("div", { class: "explained" });
    return [make("div", { class: "summary" },
      make("h2", {}, make("strong", {}, grouped(told.total)), ` ${told.total === 1 ? noun(told.kind) : `${noun(told.kind)}s`}`),
      make("span", { class: "faint" }, duration(told.milliseconds)),
      make("span", { class: "gap" }),
      filters ? make("label", { class: "filter" }, make("span", { class: "unseen" }, "Filter the answer"),
        make("input", { type: "search", placeholder: "Filter the answer", oninput: (event) => this.filter(event.target.value.trim()) })) : null,
      told.kind === "stages" ? null : explanation(cypher, { query: this.query, model: this.model, signal: this.signal })), cypher];
  }

  body(told) {
    if (told.kind === "stages") return stepsOf(told.rows);
    if (!told.rows.length) return make("p", { class: "nothing" }, "Nothing found.");
    if (told.kind === "counts") return countBars(told.rows, this.query);
    this.table = new Table(columnsOf(told, this.manyModels), "Answer to the query");
    this.table.add(told.rows);
    this.rest = make("div");
    fill(this.rest, this.more(told));
    if (told.total > told.rows.length) {
      const limited = told.kind === "tokens" || /\b(limit|offset)\b/i.test(this.query);
      this.table.resort = (column, falls) => this.resort(column, falls, limited || told.sortable.includes(column.name));
    }
    return [this.table.element, this.rest];
  }

  /** Keep the rows of the whole answer that show a text: the server looks where not all rows came at once. */
  filter(text) {
    clearTimeout(this.typing);
    if (this.whole <= TOGETHER) this.table.filter(text);
    else this.typing = setTimeout(() => this.again({ find: text || null }, () => `${counted(this.total, "row")} of ${this.whole} found`), PAUSE);
  }

  // Rows that are not all loaded are in order only if the server orders the whole answer. Tells whether it did.
  async resort(column, falls, possible) {
    if (!possible && this.loaded >= this.total) return false;
    if (!possible) {
      fill(this.rest, make("p", { class: "notice", role: "status" },
        `Only the rows shown are sorted by ${column.title}: ${grouped(this.loaded)} of ${grouped(this.total)}.`), this.more({ total: this.total }));
      return false;
    }
    await this.again({ order: falls ? `${column.name} desc` : column.name }, () => `sorted by ${column.title}`);
    return true;
  }

  // Ask for the first rows in another order, or with another filter; of several such questions the last counts.
  async again(changed, done) {
    const { order, find, loaded } = this;
    const asking = this.asking = {};
    Object.assign(this, changed, { loaded: 0 });
    try {
      const told = await this.fetch();
      if (asking !== this.asking) return;
      [this.loaded, this.total] = [told.rows.length, told.total];
      this.table.replace(told.rows, this.order !== null);
      fill(this.rest, told.rows.length ? null : make("p", { class: "nothing" }, "No row shows that."), this.more(told));
      announce(done());
    } catch (error) {
      if (asking !== this.asking) return;
      Object.assign(this, { order, find, loaded });
      if (!isGivenUp(error)) fill(this.rest, make("p", { class: "refusal", role: "alert" }, error.message), this.more({ total: this.total }));
    }
  }

  more(told) {
    const left = () => told.total - this.loaded;
    const title = () => (left() <= TOGETHER ? `Show ${left()} more` : `Show ${TOGETHER} more of ${grouped(left())}`);
    if (left() <= 0) return null;
    const refusal = make("p", { class: "refusal", role: "alert" });
    const button = make("button", { class: "more", type: "button", onclick: async () => {
      button.disabled = true;
      fill(refusal);
      try {
        const next = await this.fetch();
        this.loaded += next.rows.length;
        this.table.add(next.rows);
        announce(`${counted(this.loaded, "row")} shown`);
        if (left() <= 0 || !next.rows.length) button.remove();
        else fill(button, title());
      } catch (error) {
        if (!isGivenUp(error)) fill(refusal, error.message);
      }
      button.disabled = false;
    } }, title());
    return [button, refusal];
  }

  /** Go up or down the rows. */
  move(by) {
    this.table?.move(by);
    const row = document.activeElement?.closest("tr")?.querySelector("a");
    if (row) history.replaceState({ row: row.getAttribute("href") }, "");
  }

  /** Return to the row that one came from. */
  restore(href) {
    this.place.querySelector(`tr a[href="${CSS.escape(href)}"]`)?.focus();
  }
}

function noun(kind) {
  return { neurons: "neuron", patterns: "pattern", tokens: "token", counts: "row", stages: "step" }[kind];
}
