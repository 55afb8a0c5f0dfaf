// Keys and the filter of the board. All that they do stands on the page as well, as links and buttons.
const keysHelp = document.getElementById("keys");

function move(step) {
  const rows = [...document.querySelectorAll(".problem")];
  if (!rows.length) return;
  const here = rows.findIndex((r) => r.contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + step, 0), rows.length - 1);
  rows[next].tabIndex = -1;
  rows[next].focus();
}

// Without a row in focus a key is for the page's only one, and for none where there are more.
function row() {
  const rows = document.querySelectorAll(".problem, .problem-page");
  return document.activeElement.closest(".problem, .problem-page") ?? (rows.length === 1 ? rows[0] : null);
}

const press = (selector) => row()?.querySelector(selector)?.click();

const keys = {
  j: () => move(1),
  k: () => move(-1),
  a: () => press('form[action$="/take"] button'),
  e: () => press('form[action$="/escalate"] button'),
  o: () => press("h2 a"),
  u: () => document.querySelector("#answer button")?.click(),
  s: () => {
    const d = row()?.querySelector(".silence");
    if (d) { d.open = true; d.querySelector("select").focus(); }
  },
  f: () => {
    const d = document.getElementById("filter-open");
    if (d) { d.open = true; document.getElementById("f-q").focus(); }
  },
  "?": () => keysHelp.open ? keysHelp.close() : keysHelp.showModal(),
};
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target.matches("input, select, textarea")) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  if (keysHelp.open && e.key !== "?") return;
  const act = keys[e.key];
  if (!act) return;
  e.preventDefault();
  act();
});

document.getElementById("keys-open")?.addEventListener("click", () => keysHelp.showModal());

// A choice in the filter holds at once; words do when Enter is pressed.
document.addEventListener("change", (e) => {
  const form = e.target.closest("#filter-form");
  if (form && e.target.matches("select")) form.requestSubmit();
});

// What is selected is counted where it is acted upon; while nothing is, the names of the columns stand there.
function picked() {
  const n = document.querySelectorAll(".brief input:checked").length;
  document.getElementById("rows-head")?.classList.toggle("picked", n > 0);
  const words = document.getElementById("picked");
  if (words) words.textContent = `${n} selected`;
  const all = document.getElementById("pick-all");
  if (all && n === 0) all.checked = false;
}
const pick = (on) => { for (const box of document.querySelectorAll(".brief input[name=p]")) box.checked = on; picked(); };
document.addEventListener("change", (e) => {
  if (e.target.id === "pick-all") pick(e.target.checked);
  else if (e.target.matches(".brief input")) picked();
});
document.addEventListener("click", (e) => { if (e.target.id === "pick-none") pick(false); });
document.addEventListener("htmx:after:swap", (e) => { if (e.detail.ctx?.request.action?.endsWith("/problems/bulk")) pick(false); });
