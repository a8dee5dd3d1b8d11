// Search over all notebooks and the button that hides code. Works from file://.
const query = document.getElementById("query");
const hits = document.getElementById("hits");

function marked(text, word) {
  const at = Math.max(0, text.toLowerCase().indexOf(word));
  const start = Math.max(0, at - 40);
  const line = document.createElement("span");
  line.className = "snippet";
  const found = document.createElement("mark");
  found.textContent = text.slice(at, at + word.length);
  line.append((start ? "…" : "") + text.slice(start, at), found,
    text.slice(at + word.length, at + word.length + 80) + "…");
  return line;
}

function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  hits.replaceChildren();
  hits.hidden = words.length === 0;
  if (hits.hidden) return;
  const found = window.searchIndex.filter((record) => {
    const text = (record.section + " " + record.text).toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const count = document.createElement("p");
  count.textContent = found.length === 0 ? "Nothing found."
    : `${found.length} found` + (found.length > 20 ? ", the first 20:" : ":");
  hits.append(count);
  for (const record of found.slice(0, 20)) {
    const link = document.createElement("a");
    link.href = `${record.page}#${record.anchor}`;
    link.addEventListener("click", () => { hits.hidden = true; });
    const place = document.createElement("strong");
    place.textContent = record.title === record.section
      ? record.title : `${record.title} › ${record.section}`;
    link.append(place, marked(record.text, words[0]));
    hits.append(link);
  }
}

query.addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { hits.hidden = true; }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) { hits.hidden = true; }
});

const button = document.getElementById("code");
if (button) {
  button.addEventListener("click", () => {
    const hidden = document.body.classList.toggle("no-code");
    button.setAttribute("aria-pressed", String(hidden));
  });
}
