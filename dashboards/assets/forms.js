// What stands around the forms that htmx sends: what went wrong is said on the page, and what is answered is put away.

// say writes a sentence where answers stand.
function say(text) {
  const p = document.createElement("p");
  p.className = "warn";
  p.textContent = text;
  document.getElementById("answer")?.replaceChildren(p);
}

const asks = (ctx) => ctx?.request.method === "GET";

document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  say(asks(ctx) ? "No answer came: what stands here is as it was." : "No answer came, so whether it was done is not known. Look at its row before you try again.");
});

// An answer that is no page of ours, as that of a proxy whose agent is down, is not shown in place of one.
document.addEventListener("htmx:before:swap", (e) => {
  const { ctx, tasks } = e.detail, status = ctx.response.status;
  if (tasks.some((t) => t.fragment.querySelector("#main, #done-note, #note"))) return;
  e.preventDefault();
  if (asks(ctx)) say(`The answer was ${status}: what stands here is as it was.`);
  else say(status < 400 ? "It was sent. Its row shows what became of it." : `The answer was ${status}, so whether it was done is not known. Look at its row before you try again.`);
});

document.addEventListener("htmx:after:swap", (e) => {
  const { ctx } = e.detail, box = e.target.closest?.(".silence");
  if (asks(ctx)) { // who does not see it is told that another page is here
    document.getElementById("told").textContent = ctx.title;
    document.getElementById("period-choice")?.removeAttribute("open");
    return;
  }
  if (box && ctx.response.status < 400) {
    box.firstElementChild.focus({ preventScroll: true });
    box.open = false;
    e.target.reset();
  }
  // The undo went away with what it was the undo of.
  if (document.activeElement === document.body) document.getElementById("done-note")?.focus({ preventScroll: true });
});

// The second click of a double click was meant for the button that stood here.
document.addEventListener("click", (e) => {
  if (e.detail > 1 && e.target.closest('form[method="post"] button')) e.preventDefault();
}, true);

document.addEventListener("click", (e) => { if (e.target.id === "close") e.target.previousElementSibling.replaceChildren(); });

// An address says what is chosen, and nothing of what is not.
document.addEventListener("formdata", (e) => {
  if (e.target.method !== "get") return;
  for (const [name, value] of [...e.formData]) if (value === "") e.formData.delete(name);
});
