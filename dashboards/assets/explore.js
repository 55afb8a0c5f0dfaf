// Completes PromQL as it is typed: names of metrics, functions, labels and their values, as the store knows them.
const functions = "sum avg min max count topk bottomk quantile stddev group count_values rate irate increase delta deriv predict_linear histogram_quantile histogram_avg histogram_count histogram_sum histogram_fraction avg_over_time min_over_time max_over_time sum_over_time count_over_time quantile_over_time last_over_time present_over_time changes resets abs absent ceil floor round clamp clamp_min clamp_max label_replace label_join sort sort_desc time timestamp vector scalar day_of_week hour".split(" ");
const words = ["by", "without", "offset", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool"];
const most = 10;

const box = document.createElement("ul");
box.id = "completions";
box.setAttribute("role", "listbox");
box.setAttribute("aria-label", "Completions");
box.hidden = true;
const told = document.createElement("p"); // what a screen reader says of the list: a field of many lines cannot be a combobox
told.className = "unseen";
told.setAttribute("role", "status");
let field = null;

// adopt puts the completions beside the field: an answer or an update brings one that has none.
function adopt(el) {
  if (el === field && box.isConnected) return;
  field = el;
  field.after(box, told);
  for (const [k, v] of Object.entries({ "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": "completions" })) field.setAttribute(k, v);
}

const known = new Map(); // address to its answer
async function ask(path) {
  if (!known.has(path)) {
    known.set(path, fetch((document.documentElement.dataset.base ?? "") + path).then((r) => (r.ok ? r.json() : { data: [] })).then((j) => j.data ?? [], () => []));
  }
  return known.get(path);
}

// around says what stands before the cursor: in which label's value, in which metric's braces, and the word begun.
function around() {
  const text = field.value.slice(0, field.selectionStart);
  const value = text.match(/([a-zA-Z_][\w]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/);
  const metric = text.match(/([a-zA-Z_:][\w:]*)\s*\{[^}]*$/)?.[1] ?? "";
  if (value) return { kind: "value", label: value[1], metric, word: value[2] };
  const word = text.match(/[a-zA-Z_:][\w:]*$/)?.[0] ?? "";
  const grouping = /\b(?:by|without|on|ignoring)\s*\([^)]*$/.test(text);
  return { kind: grouping || /\{[^}]*$/.test(text) ? "label" : "name", metric, word };
}

async function candidates(a) {
  const of = a.metric ? `?match[]=${encodeURIComponent(a.metric)}` : "";
  if (a.kind === "value") return (await ask(`/api/v1/label/${encodeURIComponent(a.label)}/values${of}`)).map((v) => [v, "value"]);
  if (a.kind === "label") return (await ask(`/api/v1/labels${of}`)).filter((l) => l !== "__name__").map((l) => [l, "label"]);
  const names = (await ask("/api/v1/label/__name__/values")).map((n) => [n, "metric"]);
  return [...names, ...functions.map((f) => [f, "function"]), ...words.map((w) => [w, "word"])];
}

let asked = 0, shown = [], at = -1, current = null;
function hide() {
  box.hidden = true;
  at = -1;
  told.textContent = "";
  field.removeAttribute("aria-activedescendant");
}

function mark(i) {
  at = i;
  [...box.children].forEach((li, j) => li.setAttribute("aria-selected", String(j === i)));
  if (i >= 0) field.setAttribute("aria-activedescendant", `completion-${i}`);
  else field.removeAttribute("aria-activedescendant");
}

async function suggest() {
  const turn = ++asked, a = around();
  if (!a.word && a.kind === "name") { hide(); return; }
  const all = await candidates(a);
  if (turn !== asked) return; // more was typed meanwhile
  const word = a.word.toLowerCase();
  const rank = (c) => (c[0].toLowerCase().startsWith(word) ? 0 : 1);
  shown = all.filter((c) => c[0].toLowerCase().includes(word) && c[0] !== a.word).sort((x, y) => rank(x) - rank(y)).slice(0, most);
  current = a;
  if (!shown.length) { hide(); return; }
  box.replaceChildren(...shown.map(([text, kind], i) => {
    const li = document.createElement("li");
    li.id = `completion-${i}`;
    li.setAttribute("role", "option");
    const of = document.createElement("span");
    of.className = "place";
    of.textContent = ` ${kind}`;
    li.append(text, of);
    li.addEventListener("pointerdown", (e) => { e.preventDefault(); take(i); });
    return li;
  }));
  box.hidden = false;
  told.textContent = `${shown.length} completions, the first is ${shown[0][0]}`;
  mark(-1);
}

function take(i) {
  const [text, kind] = shown[i], end = field.selectionStart, begin = end - current.word.length;
  const more = kind === "function" ? "(" : "";
  field.setRangeText(text + more, begin, end, "end");
  hide();
}

adopt(document.getElementById("query"));
document.addEventListener("input", (e) => {
  if (e.target.id !== "query") return;
  adopt(e.target);
  suggest();
});
document.addEventListener("focusout", (e) => { if (e.target === field) hide(); });
document.addEventListener("keydown", (e) => {
  if (e.target.id !== "query") return;
  adopt(e.target);
  if (!box.hidden && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
    e.preventDefault();
    mark(e.key === "ArrowDown" ? (at + 1) % shown.length : (at <= 0 ? shown.length : at) - 1);
  } else if (!box.hidden && at >= 0 && (e.key === "Enter" || e.key === "Tab")) {
    e.preventDefault();
    take(at);
  } else if (e.key === "Escape" && !box.hidden) {
    hide();
  } else if (e.key === "Enter" && !e.shiftKey) {
    e.preventDefault();
    field.form.requestSubmit();
  }
});
