// Opens WeChat's payment window. Whatever the window says, only our server
// knows; its answer moves the page on (see ask in shop.js).
const { bridge, words } = data("#pay"), go = $("#go");
let round = 0;
const release = text => { round++; free(go); tell(text); };

// WeChat may call twice; the first word counts.
const closed = async (mine, msg) => {
  if (mine !== round) return;
  if (/:cancel/.test(msg)) return release(words.cancelled);
  round++;
  doubt = /:ok/.test(msg);
  tell(say.asking);
  turn = 0;
  since = now();
  const state = await ask();
  if (!doubt) release(!state ? "" : /denied|not_allow/.test(msg) ? words.nothere : say.failed);
};

on("click", async () => {
  const mine = ++round;
  busy(go);
  tell(say.open);
  try {
    await new Promise((yes, no) => {
      if (window.WeixinJSBridge) yes();
      on("WeixinJSBridgeReady", yes);
      setTimeout(no, 3e3);
    });
    WeixinJSBridge.invoke("getBrandWCPayRequest", bridge, r => closed(mine, r.err_msg));
  } catch {
    release(words.nowindow);
  }
}, go);
on("visibilitychange", () => document.hidden || doubt || free(go));
