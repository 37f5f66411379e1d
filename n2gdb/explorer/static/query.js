// The query page: the box, what was asked before, and the answer. The address holds the query.

import { ask, isGivenUp } from "/static/api.js";
import { announce, fill, make } from "/static/dom.js";
import { Editor } from "/static/editor.js";
import { listen } from "/static/keys.js";
import { remember } from "/static/history.js";
import { Results } from "/static/results.js";
import { queryAt } from "/static/routes.js";
import { suggestions } from "/static/suggestions.js";

/** Show the page; asks at once where the address holds a query. */
export async function queryPage(page, { q, model, database, signal, go }) {
  const answer = make("section", { class: "answer", "aria-label": "Answer" });
  const below = make("div");
  const results = new Results(answer, { model, manyModels: database.models.length > 1, signal });
  const editor = new Editor({ text: q ?? "", model, signal, onrun: (text) => run(text) });
  const submit = make("button", { class: "primary", type: "submit" }, "Ask");
  const form = make("form", { class: "ask", role: "search", onsubmit: (event) => { event.preventDefault(); run(editor.text); } },
    editor.element, submit);
  fill(page, make("h1", { class: q ? "unseen" : "" }, "What does each neuron fire on?"), form, answer, below);

  function run(text) {
    const asked = text.trim();
    if (!asked) return;
    if (asked === q) answerTo(asked);
    else go(queryAt(asked, model));
  }

  async function answerTo(asked) {
    try {
      await results.show(asked);
      remember(asked);
    } catch (error) {
      if (isGivenUp(error)) return;
      fill(answer, error.column ? null : make("p", { class: "refusal", role: "alert" }, error.message));
      editor.mark(error);
      editor.box.focus();
    }
    showSuggestions();
  }

  let questions = [];
  function showSuggestions() {
    fill(below, suggestions(questions, { open: q === null, model }));
  }

  async function fetchQuestions() {
    try {
      questions = (await ask("/api/questions", {}, signal)).examples;
      showSuggestions();
    } catch (error) {
      if (!isGivenUp(error)) announce(error.message);
    }
  }

  listen({
    j: () => results.move(1), ArrowDown: () => results.move(1),
    k: () => results.move(-1), ArrowUp: () => results.move(-1),
    "/": () => { editor.box.focus(); editor.box.select(); },
  }, signal);
  document.title = q ? `${q} · n2gdb` : "n2gdb";
  showSuggestions();
  fetchQuestions();
  if (q === null) editor.box.focus();
  else await answerTo(q);
  if (q !== null && history.state?.row) results.restore(history.state.row);
}
