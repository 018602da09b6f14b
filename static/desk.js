"use strict";
// The cash desk and the refund form work without this; it makes them as quick
// as a scanner. It decides nothing: every answer is our server's.
const page = document, $ = q => page.querySelector(q);
const on = (el, name, fn) => el?.addEventListener(name, fn);
const amount = $("[name=amount]"), code = $("[name=code]"), go = $("[data-say]"), wait = $("[data-wait]");
const say = () => { if (go) go.textContent = go.dataset.say.replace("%s", amount.value || "0.00"); };
on(amount, "input", say);
say();

// A page out of the browser's memory has a token that was used.
on(window, "pageshow", e => { if (e.persisted) location.reload(); });

// A form goes out once; what fires twice is swallowed, here and at the server.
let sent = false;
on(page, "submit", e => {
  if (!e.target.matches("[data-once]")) return;
  if (sent) return e.preventDefault();
  if (code) sessionStorage.scan = Date.now() + " " + code.value;
  sent = true;
  setTimeout(() => { sent = false; }, 15000);
});

// The lines of a refund add up to its amount, up to what is left.
const lines = [...page.querySelectorAll("[data-fen]")];
lines.forEach(l => on(l, "change", () => {
  const fen = Math.min(lines.reduce((n, l) => n + l.dataset.fen * (l.max ? l.value | 0 : l.checked), 0), amount.dataset.max);
  if (fen) amount.value = String(fen).padStart(3, 0).replace(/..$/, ".$&");
  say();
}));

const memory = sessionStorage, tell = text => { $("#say").textContent = text; };
if ($("[aria-invalid]")) memory.clear();
if (code?.dataset.letters) {
  on(code, "input", () => {
    const v = code.value, [at, last] = (memory.scan || "").split(" ");
    tell(/\D/.test(v) ? code.dataset.letters : "");
    if (!/^\d{18}$/.test(v)) return;
    if (v !== last || Date.now() - at > 60000) return code.form.requestSubmit();
    code.value = "";
    tell(code.dataset.again);
  });
}
if (code) on(amount, "keydown", e => {
  if (e.key === "Enter" && !code.value) { e.preventDefault(); code.focus(); }
});
if (code) on(page, "click", e => {
  if (!e.target.closest("a,button,input,label")) (amount.value ? code : amount).focus();
});

// While the payer types: a step at WeChat when it is due, and the news.
const ask = async () => {
  try {
    const r = await fetch(wait.dataset.url, { method: "POST", body: new URLSearchParams() });
    if (r.redirected) return location.replace(r.url);
    const x = await r.json();
    if (x.state !== wait.dataset.state) return location.replace(location.pathname);
    $("#asked").textContent = x.asked;
  } catch {}
  setTimeout(ask, 2000);
};
if (wait) {
  let s = +wait.dataset.wait;
  setInterval(() => { wait.textContent = wait.dataset.words.replace("%d", ++s); }, 1000);
  setTimeout(ask, 2000);
}
