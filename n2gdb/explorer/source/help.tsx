// Help: what the box takes, the language in short, and the keys.

import { useEffect } from "preact/hooks";
import { answerAt } from "./address";
import { Query } from "./parts";
import type { Database } from "./types";
import { words } from "./words";

const language = (): [string, string][] => [
  [`${words.many} MATCHING 'the'`, "fire on the token, case and leading space aside; in double quotes to the letter"],
  [`${words.many} MATCHING 'of' THEN 'the'`, "fire on the second, the first directly before it"],
  [`${words.many} MATCHING 'the' BEFORE ...`, "need the token anywhere before the one that they fire on"],
  [`${words.many} MENTIONING 'import'`, "have the token anywhere in a pattern"],
  ["patterns MATCHING <digit> THEN <punct>", "patterns, by classes of tokens"],
  [`${words.many} FIRING ON "on the other side"`, "their graphs fire on the text"],
  [`${words.many} WHERE f1 >= 0.6 AND layer IN 0..2 ORDER BY f1 DESC LIMIT 20`, "by figures, in an order"],
  [`${words.many} SIMILAR TO ${words.named}`, "have much the same graph"],
  [`tokens ACTIVATING ${words.named}`, "the tokens that one of them fires on"],
  [`COUNT ${words.many} MATCHING 'the' BY layer`, "how many, by group"],
  [`EXPLAIN ${words.many} MATCHING 'the'`, "how it is answered"],
];
const keys = (): [string, string][] => [
  ["/", "to the box"], ["Enter, Shift Enter", "in the box: ask; a new line"], ["Tab, arrows, Escape", "in the box: take, choose, leave what is offered; Ctrl Space offers it"],
  ["j, k", `next and previous row, ${words.one} or layer`], ["x", "mark the row, to compare or list it"], ["← →", `next and previous ${words.one} or layer`],
  ["arrows, N, Enter", `in a graph: from token to token, the next pattern through it, ${words.many} with it in that place`],
  ["← →", "in a text: from one token that fires to the next"], ["?", "this page"], ["Escape", "close a tooltip"],
];

export function HelpPage({ database, model }: { database: Database; model: string | null }) {
  useEffect(() => { document.title = "Help · n2gdb"; }, []);
  return <><header class="title"><h1 tabIndex={-1}>Help</h1></header>
    <p>n2gdb {database.version}, {database.file}. The box takes a {words.one}’s name (<code>{words.named}</code>), a word, a text, or a query; what it takes an input for stands below it and can be changed. <code>n2gdb --help</code> and the guide that comes with it say more.</p>
    <div class="columns wide-left"><section><h2>The language in short</h2><dl class="help">{language().map(([query, said]) => <><dt><a href={answerAt(query, model)}><Query text={query} /></a></dt><dd>{said}</dd></>)}</dl></section>
      <section><h2>Keys</h2><dl class="help keys">{keys().map(([key, said]) => <><dt><kbd>{key}</kbd></dt><dd>{said}</dd></>)}</dl></section></div>
    <section><h2>What is seen stays</h2><p>The address holds the query, its order, what is searched, how far one has scrolled, what is unfolded and the text typed: reload it, go back to it, or send it to whoever runs the same database.</p></section></>;
}
