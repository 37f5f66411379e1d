// The search of a static site.
"use strict";
const box = document.getElementById("search");
const said = document.getElementById("found");
const rows = [...document.querySelectorAll(".neurons li")];
let known = null;

async function search() {
  known ??= await (await fetch("neurons.json")).json();
  const wanted = box.value.trim().toLowerCase();
  const fits = (each) => each.n.toLowerCase().startsWith(wanted) || each.t.some((token) => token.startsWith(wanted));
  const exact = (each) => each.n.toLowerCase() === wanted || each.t.includes(wanted);
  const hits = wanted ? known.filter(fits) : known;
  const shown = new Set((hits.some(exact) ? hits.filter(exact) : hits).map((each) => each.u));
  for (const row of rows) row.hidden = !shown.has(row.dataset.u);
  said.textContent = wanted ? `${shown.size} of ${known.length}` : "";
  history.replaceState(null, "", wanted ? `?q=${encodeURIComponent(wanted)}` : location.pathname);
}

box.addEventListener("input", search);
box.value = new URLSearchParams(location.search).get("q") ?? "";
if (box.value) search();
