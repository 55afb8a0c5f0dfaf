// Says the values under the pointer, or where the arrow keys lead, and opens the stretch of time that is dragged over.
// Both stand on the page as well: in the table, and in the choice of the time.

// points of a drawn line, in units of the plot, by the path that the server wrote.
function points(path) {
  return [...path.getAttribute("d").matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])]);
}

function figure(v) {
  return Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("fr-FR") : String(Number(v.toPrecision(4)));
}

// part of its parent that is made when it is first needed.
function part(parent, selector, make) {
  return parent.querySelector(selector) ?? parent.appendChild(make());
}

// say tells the values at x, 0 to 1000, of the lines that are shown, and returns the time there.
function say(plot, x) {
  const chart = plot.closest(".chart"), d = plot.dataset;
  const low = Number(d.low), high = Number(d.high), at = Number(d.from) + (d.to - d.from) * x / 1000;
  const names = [...chart.querySelectorAll(".of-line")].map((n) => n.textContent);
  const values = [...plot.querySelectorAll(".line")].map((line, i) => {
    if (getComputedStyle(line).display === "none") return null;
    let best = null;
    for (const p of points(line)) if (!best || Math.abs(p[0] - x) < Math.abs(best[0] - x)) best = p;
    return best && Math.abs(best[0] - x) < 20 ? `${names[i]} ${figure(low + (1 - best[1] / 240) * (high - low))}` : null;
  }).filter(Boolean);
  const cursor = part(plot, ".cursor", () => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", "cursor");
    return path;
  });
  cursor.setAttribute("d", `M${x} 0V240`);
  part(chart, ".readout", () => {
    const p = document.createElement("p");
    p.className = "readout";
    p.setAttribute("aria-live", "polite");
    return p;
  }).textContent = `${new Date(at).toISOString().slice(5, 19).replace("T", " ")} UTC: ${values.join(", ") || "nothing"}`;
  plot.dataset.at = x;
  return at;
}

let drag = null;

function read(e) {
  const plot = e.target.closest?.(".plot");
  if (!plot) return;
  const box = plot.getBoundingClientRect();
  const x = Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1) * 1000;
  return { at: say(plot, x), plot, px: e.clientX };
}

document.addEventListener("pointermove", read);
document.addEventListener("pointerdown", (e) => { drag = e.button === 0 ? read(e) : null; });
document.addEventListener("pointerup", (e) => {
  const end = drag && read(e), begin = drag;
  drag = null;
  if (!end || end.plot !== begin.plot || Math.abs(end.px - begin.px) < 12) return;
  const to = new URL(location.href), times = [begin.at, end.at].sort((a, b) => a - b);
  if (times[1] - times[0] < 60000) return;
  to.searchParams.delete("last");
  to.searchParams.set("from", new Date(times[0]).toISOString().slice(0, 19));
  to.searchParams.set("to", new Date(times[1]).toISOString().slice(0, 19));
  location.assign(to);
});

// The arrow keys go along the time, a sixtieth of it at a step, and begin where the newest value is.
document.addEventListener("keydown", (e) => {
  if (!e.target.matches(".plot") || e.ctrlKey || e.metaKey || e.altKey) return;
  const here = Number(e.target.dataset.at ?? 1000), step = 1000 / 60;
  const x = { ArrowLeft: here - step, ArrowRight: here + step, Home: 0, End: 1000 }[e.key];
  if (x === undefined) return;
  e.preventDefault();
  say(e.target, Math.min(Math.max(x, 0), 1000));
});
