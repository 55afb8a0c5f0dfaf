// The box in the head that finds things: a list below it while somebody types. Without this script Enter shows the same on a page.
const wait = 120; // ms after a letter
let asking = null, timer = 0;

const box = () => document.getElementById("find-q");
const options = () => [...document.querySelectorAll("#find-list [role=option]")];
const chosen = () => document.querySelector("#find-list [aria-selected=true]");

// dress makes the box a combobox; an answer that changed the page's head may have undressed it.
function dress(input) {
  if (input.getAttribute("role") === "combobox") return;
  const pop = document.createElement("div");
  [pop.id, pop.hidden] = ["find-pop", true];
  const said = document.createElement("p");
  [said.id, said.className] = ["find-said", "unseen"];
  said.setAttribute("role", "status");
  document.getElementById("find-pop")?.remove();
  document.getElementById("find-said")?.remove();
  input.form.append(pop, said);
  for (const [k, v] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "find-list", "aria-haspopup": "listbox" })) input.setAttribute(k, v);
}

function choose(option) {
  for (const o of options()) o.setAttribute("aria-selected", o === option);
  if (option) {
    box().setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else box().removeAttribute("aria-activedescendant");
}

function shut() {
  clearTimeout(timer);
  asking?.abort();
  const input = box(), pop = document.getElementById("find-pop");
  if (!pop) return;
  pop.hidden = true;
  choose(null);
  input.setAttribute("aria-expanded", "false");
}

function show(html, found) {
  const pop = document.getElementById("find-pop");
  pop.innerHTML = html;
  pop.hidden = !html;
  choose(null);
  const n = options().length;
  box().setAttribute("aria-expanded", String(n > 0));
  document.getElementById("find-said").textContent = found ?? (n ? `${n} found` : pop.textContent);
}

async function ask() {
  const input = box(), text = input.value.trim();
  asking?.abort();
  if (!text) { shut(); return; }
  const mine = asking = new AbortController();
  try {
    const answer = await fetch(`${input.form.action}/list?q=${encodeURIComponent(text)}`, { signal: mine.signal });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    const html = await answer.text();
    if (asking === mine && document.activeElement === input) show(html);
  } catch (e) {
    if (e.name === "AbortError" || asking !== mine) return;
    show('<p class="rest">No answer came. Enter asks once more.</p>');
  }
}

document.addEventListener("focusin", (e) => { if (e.target.id === "find-q") dress(e.target); });
document.addEventListener("input", (e) => {
  if (e.target.id !== "find-q") return;
  dress(e.target);
  clearTimeout(timer);
  timer = setTimeout(ask, wait);
});
document.addEventListener("focusout", (e) => { if (e.target.id === "find-q" && !e.relatedTarget?.closest("#find-pop")) shut(); });
document.addEventListener("mousedown", (e) => { if (e.target.closest("#find-pop")) e.preventDefault(); }); // the focus stays in the box
document.addEventListener("submit", (e) => { // Enter, and the key of a phone that stands for it
  if (!e.target.matches(".find-box")) return;
  const option = chosen();
  if (option) {
    e.preventDefault();
    option.click();
  }
  shut();
});

document.addEventListener("keydown", (e) => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches("input, select, textarea, [contenteditable]") && !document.querySelector("dialog[open]")) {
    e.preventDefault();
    const input = box();
    if (input.checkVisibility()) { input.focus(); input.select(); } else document.querySelector(".find-m").click();
    return;
  }
  if (e.target.id !== "find-q" || e.isComposing) return;
  const all = options(), open = !document.getElementById("find-pop")?.hidden;
  if (e.key === "Escape") {
    if (open) { e.preventDefault(); e.stopPropagation(); shut(); } // a second one empties the box, as browsers do
  } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    e.preventDefault();
    if (!open) { ask(); return; }
    if (!all.length) return;
    const at = all.indexOf(chosen()), step = e.key === "ArrowDown" ? 1 : -1;
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step;
    choose(all[next] ?? null); // past the end is the box itself
  }
}, true);

// On its own page somebody came to type. A browser whose window is not in front may leave the focus where it was.
const first = box();
if (first.hasAttribute("autofocus") && document.activeElement === document.body) first.focus();
if (document.activeElement === first) dress(first);
