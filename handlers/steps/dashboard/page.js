"use strict";
// Asks for the parts of the page every few seconds and puts in what has changed. The key is the one of this page's own address; it
// is sent as a header and kept nowhere.
(() => {
  const EVERY = 3000, AT_MOST = 30000;
  const $ = (id) => document.getElementById(id);
  const key = new URLSearchParams(location.search).get("code");
  const headers = key ? { "x-functions-key": key } : {};
  const url = location.pathname + "?format=live";
  const link = $("link"), pause = $("pause"), spoken = $("spoken"), said = $("said");
  let read = null, paused = false, timer = 0, wait = EVERY, last = Date.now();

  // What has the focus keeps it, and what was opened or scrolled stays so, when its part is written anew.
  function put(part, html) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const again = focused && (focused.id ? "#" + CSS.escape(focused.id) : focused.matches("a[href]") ? 'a[href="' + CSS.escape(focused.getAttribute("href")) + '"]' : focused.localName);
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    if (read && part.contains(read)) read = null;
    part.innerHTML = html;
    open.forEach((id) => { const one = $(id); if (one) one.open = true; });
    part.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = scrolled[n] || 0; });
    if (again) { const one = part.querySelector(again); if (one) one.focus({ preventScroll: true }); }
  }

  const written = new Map();
  document.querySelectorAll("[data-part]").forEach((part) => written.set(part.dataset.part, part.innerHTML));

  function show(now) {
    for (const [id, html] of Object.entries(now.parts)) {
      const part = document.querySelector('[data-part="' + CSS.escape(id) + '"]');
      if (part && written.get(id) !== html && !part.querySelector("button:active")) {
        put(part, html);
        written.set(id, html);
      }
    }
    document.title = now.title;
    if (spoken.textContent !== now.spoken) spoken.textContent = now.spoken;
  }

  function tell(text, stale) {
    link.textContent = text;
    document.body.classList.toggle("stale", stale);
  }

  async function ask() {
    try {
      const answer = await fetch(url, { headers, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(12000) });
      if (answer.status === 401 || answer.status === 403) return stop("the key is not accepted any more");
      if (!answer.ok) throw new Error("status " + answer.status);
      show(await answer.json());
      [wait, last] = [EVERY, Date.now()];
      tell("live", false);
    } catch (e) {
      wait = Math.min(wait * 2, AT_MOST);
      tell("no answer for " + Math.round((Date.now() - last) / 1000) + " s; trying again", true);
    }
    next();
  }

  function next() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(ask, wait);
  }

  function stop(why) {
    paused = true;
    pause.hidden = true;
    tell(why, true);
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    tell(paused ? "paused" : "live", false);
    if (paused) clearTimeout(timer); else ask();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else if (!paused) ask(); });

  // What was said comes on a click alone.
  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, button = form.querySelector("button");
    button.disabled = true;
    try {
      const answer = await fetch(url, { method: "POST", headers, body: new URLSearchParams(new FormData(form)), cache: "no-store" });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.detail || "status " + answer.status);
      said.innerHTML = body.html;
      closable(button.id);
    } catch (e) {
      said.replaceChildren(Object.assign(document.createElement("p"), { className: "card quiet", textContent: "Not shown: " + e.message }));
    }
    button.disabled = false;
    said.scrollIntoView({ block: "start" });
    const heading = $("said-heading");
    if (heading) heading.focus({ preventScroll: true });
  });

  function closable(from) {
    const close = $("close-said");
    if (!close) return;
    close.hidden = false;
    close.addEventListener("click", () => {
      said.replaceChildren();
      const back = $(from);
      if (back) back.focus();
    });
  }
  closable("");

  // The values under the pointer, in the legend.
  function unread() {
    if (!read) return;
    read.querySelectorAll(".legend b").forEach((b) => { if (b.dataset.now !== undefined) b.textContent = b.dataset.now; });
    const cursor = read.querySelector(".cursor");
    cursor.setAttribute("x1", "-9");
    cursor.setAttribute("x2", "-9");
    read = null;
  }
  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest ? event.target.closest(".chart svg") : null;
    const figure = svg ? svg.closest("figure") : null;
    if (read && read !== figure) unread();
    if (!figure) return;
    const lines = [...figure.querySelectorAll("path[data-values]")].map((path) => path.dataset.values.split(","));
    const box = svg.getBoundingClientRect(), count = lines[0].length;
    const part = ((event.clientX - box.left) / box.width * 360 - 30) / 326;
    const place = Math.max(0, Math.min(count - 1, Math.round(part * (count - 1))));
    const x = String(30 + 326 * place / (count - 1)), cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    figure.querySelectorAll(".legend b").forEach((b, n) => {
      if (b.dataset.now === undefined) b.dataset.now = b.textContent;
      b.textContent = lines[n][place] || "–";
    });
    read = figure;
  });
  document.addEventListener("pointerleave", unread);
  document.documentElement.addEventListener("pointerleave", unread);

  // A link to a runbook leads its reader into it.
  addEventListener("hashchange", () => { const to = document.querySelector(":target"); if (to && to.tabIndex < 0) to.focus({ preventScroll: true }); });

  tell("live", false);
  next();
})();
