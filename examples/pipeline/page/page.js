// Without this script the page shows everything; with it, the files can be searched and sorted.
const tools = document.querySelector(".tools");
const [search, order] = [tools.querySelector("input"), tools.querySelector("select")];
const grid = document.querySelector(".cards");
const none = document.querySelector(".none");
const cards = [...grid.children];

const orders = {
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
  words: (a, b) => b.dataset.words - a.dataset.words,
  bytes: (a, b) => b.dataset.bytes - a.dataset.bytes,
};

function arrange() {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const card of cards) {
    card.hidden = !card.dataset.name.includes(wanted);
    shown += card.hidden ? 0 : 1;
  }
  none.hidden = shown > 0;
  grid.append(...cards.sort(orders[order.value]));
}

tools.hidden = false;
tools.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", arrange);
order.addEventListener("change", arrange);
