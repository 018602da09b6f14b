"use strict";
// Makes pages that work already more pleasant: busy buttons, copying, the
// stepper, the countdown and polling. It believes only our server.
const $ = (q, el = document) => el.querySelector(q);
const list = q => [...document.querySelectorAll(q)];
const on = (name, fn, el = document, o) => el?.addEventListener(name, fn, o);
const data = id => JSON.parse($(id)?.textContent || "{}");
const now = () => performance.now();
const say = data("#words");
const tell = text => { if (text) $("#say").textContent = text; };

// A busy button keeps its label, width and focus; it is never disabled, which
// would take its value out of the form.
const hold = b => b?.setAttribute("aria-disabled", true);
const busy = b => { hold(b); b?.classList.add("busy"); };
const free = b => { b?.removeAttribute("aria-disabled"); b?.classList.remove("busy"); };
on("click", e => {
  if (e.target.closest("[aria-disabled]")) { e.preventDefault(); e.stopPropagation(); }
}, document, 1);
on("submit", e => {
  const b = e.submitter;
  if ($(".busy", e.target)) return e.preventDefault();
  busy(b);
  setTimeout(() => { free(b); tell(say.again); }, 15e3);
});

list("[data-js]").forEach(el => el.hidden = 0);
$("[role=alert],li:target h2")?.focus();

on("click", async e => {
  const b = e.target, { copy, done, hold } = b.dataset, from = copy && $(copy), label = b.textContent;
  if (!from) return;
  try {
    await navigator.clipboard.writeText(from.textContent);
    b.textContent = done;
  } catch {
    from.select ? from.select() : getSelection().selectAllChildren(from);
    b.textContent = hold;
  }
  setTimeout(() => b.textContent = label, 2e3);
});

// The stepper of the cart posts; the one of a product counts by itself.
const box = $("[data-step]");
const count = by => {
  const { max, price, say } = $(":checked").dataset, [less, qty, more] = box.children, old = $("[data-price]");
  qty.value = Math.max(1, Math.min(max, (+qty.value || 1) + by));
  less.disabled = qty.value < 2;
  more.disabled = +qty.value >= max;
  [old.childNodes[1].data, old.lastChild.textContent] = price.split(/(?=\.)/);
  $("[data-stock]").textContent = say;
};
on("click", e => {
  const by = { minus: -1, plus: 1 }[e.target.value];
  if (by) { e.preventDefault(); count(by); }
}, box);
on("change", e => {
  if (box) count(0);
  else if (e.target.name === "qty") $("[value=set]", e.target.form).click();
});

const reel = $(".reel"), thumbs = list(".thumbs a");
thumbs.forEach((a, i) => on("click", e => { e.preventDefault(); reel.scrollTo(i * reel.clientWidth, 0); }, a));
on("scroll", () => thumbs.forEach((a, i) => {
  a.ariaCurrent = i == Math.round(reel.scrollLeft / reel.clientWidth) || null;
}), reel);

// Polling: the server says when to ask again. A hidden page does not ask, and
// a question that fails never changes what is shown. The same news never makes
// the same page load twice.
const here = $("[data-poll]")?.dataset;
const main = $("#go,.bar .btn:last-child");
let turn = 0, since = now(), timer, doubt = here && "checking" in here;
const ask = async () => {
  clearTimeout(timer);
  if (!here || document.hidden) return;
  let answer = {};
  try {
    const r = await fetch(here.poll + "?n=" + turn++);
    sync(Date.parse(r.headers.get("Date")));
    answer = await r.json();
  } catch {
    if (!navigator.onLine) return tell(say.offline);
  }
  const { state, next_ms: next = 1e4 } = answer, age = now() - since;
  if (state && state !== here.state && (state !== sessionStorage[here.poll] || location.pathname !== here.order)) {
    sessionStorage[here.poll] = state;
    return location.replace(here.order);
  }
  if (doubt && age > 1e4) { tell(age > 6e4 ? say.later : say.slow); free($(".bar .busy")); }
  if (next && age < 6e5) timer = setTimeout(ask, next);
  return state;
};
if (here) {
  if (doubt) busy(main);
  timer = setTimeout(ask, 1e3);
  on("online", () => { tell(" "); ask(); }, window);
}

// The countdown runs on the monotonic clock from the moment of rendering; each
// answer of the server sets it right.
const clocks = list("[data-left]").map(el => ({ el, left: +el.dataset.left }));
let zero = now(), tick, over;
const draw = () => {
  for (const c of clocks) {
    const ms = Math.max(0, c.left - now() + zero), s = Math.ceil(ms / 1e3), t = new Date(s * 1e3).toISOString();
    c.el.textContent = c.el.dataset.say.replace("%s", t.slice(s < 3600 ? 14 : 11, 19));
    if (here) {
      if (s == 300 || s == 60) tell(s > 60 ? say.five : say.one);
      if (!ms && !over) { over = 1; tell(say.zero); hold(main); ask(); }
    }
    if (ms) { clearTimeout(tick); tick = setTimeout(draw, ms % 1e3 || 1e3); }
  }
};
const sync = at => {
  if (!at) return;
  for (const c of clocks) c.left = c.el.dataset.end - at;
  zero = now();
  draw();
};
draw();

// Who comes back from WeChat by the browser's own button is asked, too.
on("click", () => history.replaceState(0, 0, location + "/back"), $("a#go"));
on("visibilitychange", ask);
// A page from the back/forward cache is old news.
on("pageshow", e => e.persisted && location.reload(), window);
