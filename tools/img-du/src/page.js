"use strict";
const tiles = [...document.querySelectorAll("svg g")];
const leaves = tiles.filter((tile) => !tile.classList.contains("directory"));
const rows = [...document.querySelectorAll("tr[data-layer]")];
const search = document.getElementById("search");
const found = document.getElementById("found");
let layer = null;
function show() {
  const text = search.value.toLowerCase();
  let count = 0;
  for (const tile of tiles) {
    const named = text !== "" && tile.dataset.path.toLowerCase().includes(text);
    tile.classList.toggle("found", named);
  }
  for (const tile of leaves) {
    const wanted = (layer === null || tile.dataset.layer === layer)
      && tile.dataset.path.toLowerCase().includes(text);
    tile.classList.toggle("dim", !wanted);
    count += wanted ? 1 : 0;
  }
  for (const row of rows) row.classList.toggle("chosen", row.dataset.layer === layer);
  for (const row of document.querySelectorAll("tr[data-path]")) {
    row.hidden = !row.dataset.path.toLowerCase().includes(text);
  }
  found.textContent = text === "" && layer === null ? "" : count + " of " + leaves.length + " tiles";
}
search.addEventListener("input", show);
for (const row of rows) {
  row.addEventListener("click", () => {
    layer = layer === row.dataset.layer ? null : row.dataset.layer;
    show();
  });
}
if (location.hash !== "") {
  const text = location.hash.slice(1);
  try {
    search.value = decodeURIComponent(text);
  } catch {
    search.value = text;
  }
  show();
}
