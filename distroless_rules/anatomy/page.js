"use strict";
(() => {
  const rows = new Map([...document.querySelectorAll("tr[data-item]")].map((row) => [row.dataset.item, row]));
  const said = document.getElementById("said"), rest = said.textContent, find = document.getElementById("find");
  const usedBy = new Map();
  for (const [id, row] of rows) for (const other of numbers(row)) (usedBy.get(other) || usedBy.set(other, []).get(other)).push(id);
  let picked = "";

  function numbers(row) { return row.dataset.needs ? row.dataset.needs.split(" ") : []; }
  function name(id) { return rows.get(id).dataset.name; }
  function list(ids) { return ids.length ? ids.map(name).sort().join(", ") : "nothing"; }

  function mark(id) {
    const on = new Set();
    if (id) { on.add(id); for (const other of [...numbers(rows.get(id)), ...(usedBy.get(id) || [])]) on.add(other); }
    document.body.classList.toggle("busy", Boolean(id));
    for (const each of document.querySelectorAll("[data-item]")) {
      each.classList.toggle("on", on.has(each.dataset.item));
      each.classList.toggle("picked", each.dataset.item === id);
    }
    for (const edge of document.querySelectorAll(".edge")) {
      edge.classList.toggle("out", edge.dataset.from === id);
      edge.classList.toggle("in", edge.dataset.to === id);
    }
    if (!id) { said.textContent = rest; return; }
    const row = rows.get(id), deb = row.dataset.kind === "deb";
    const needs = deb ? `\nIt needs ${list(numbers(row))}. It is needed by ${list(usedBy.get(id) || [])}.` : "";
    said.textContent = `${row.dataset.name} (${row.dataset.group}): ${row.dataset.size}, ${row.dataset.stays}. ${row.dataset.why}${needs}`;
  }

  function named() {
    const wanted = decodeURIComponent(location.hash.slice(1));
    for (const [id, row] of rows) if (wanted && row.dataset.name === wanted) mark(picked = id);
  }

  document.addEventListener("mouseover", (event) => {
    const at = event.target.closest("svg [data-item]");
    if (at && !picked) mark(at.dataset.item);
    else if (!picked && !at && document.body.classList.contains("busy")) mark("");
  });
  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-item]");
    if (!at && !event.target.closest("svg")) return;
    picked = at && at.dataset.item !== picked ? at.dataset.item : "";
    mark(picked);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { picked = ""; mark(""); } });
  addEventListener("hashchange", named);
  named();
  find.addEventListener("input", () => {
    const word = find.value.trim().toLowerCase();
    document.body.classList.toggle("filtered", Boolean(word));
    for (const [id, row] of rows) {
      const hit = row.dataset.name.toLowerCase().includes(word);
      row.hidden = !hit;
      for (const each of document.querySelectorAll(`svg [data-item="${id}"]`)) each.classList.toggle("hit", hit);
    }
  });
})();
