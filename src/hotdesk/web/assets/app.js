// What pages do in a browser: theme, times, keys, dialogs, forms, and staying up to date.
// Nothing here makes HTML out of data: what comes as HTML was escaped by our templates.
"use strict";

const root = document.documentElement;
const find = (what, within = document) => within.querySelector(what);
const all = (what, within = document) => [...within.querySelectorAll(what)];
const kept = (name, value) => {
  try {
    return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value);
  } catch {
    return null; // A browser that keeps nothing.
  }
};

// Theme: as the system has it, until a reader chooses.

if (kept("theme")) root.dataset.theme = kept("theme");

function switchTheme() {
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  kept("theme", root.dataset.theme);
}

// Times: in the zone of the reader. What grows is counted here, and not pushed.

const ahead = { by: 0 }; // Milliseconds that the server's clock is ahead of ours.
const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
const MONTH = { day: "numeric", month: "short" };
const HOUR = { hour: "2-digit", minute: "2-digit" };

function spelled(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  if (at < 0 || at === UNITS.length - 1) return `${seconds}s`;
  const [[unit, size], [below, part]] = UNITS.slice(at);
  const rest = Math.floor((seconds % size) / part);
  return `${Math.floor(seconds / size)}${unit} ${String(rest).padStart(2, "0")}${below}`;
}

const WAYS = {
  ago: (at, now) => (now - at < 1000 ? "now" : `${spelled(now - at).split(" ")[0]} ago`),
  since: (at, now) => spelled(now - at),
  until: (at, now) => (at > now ? `in ${spelled(at - now)}` : "over"),
  clock: (at) => at.toLocaleTimeString([], { ...HOUR, second: "2-digit", hourCycle: "h23" }),
  moment: (at, now) =>
    at.toLocaleString([], {
      ...(at.toDateString() === new Date(now).toDateString() ? {} : MONTH),
      ...HOUR,
      second: "2-digit",
      hourCycle: "h23",
    }),
};

function writeTimes(within) {
  const now = Date.now() + ahead.by;
  for (const time of all("time[data-as]", within)) {
    const at = new Date(time.dateTime);
    const written = WAYS[time.dataset.as]?.(at, now);
    if (written && time.textContent !== written) time.textContent = written;
    if (!time.title) time.title = at.toLocaleString([], { dateStyle: "full", timeStyle: "long" });
  }
}

// Morphing: change what is shown into what came, and only where they differ.

const keyOf = (node) => node.id || node.dataset?.key;
const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

function morph(shown, fresh) {
  if (shown.isEqualNode(fresh)) return;
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    shown.nodeValue = fresh.nodeValue;
    return;
  }
  if (shown.hasAttribute("data-keep")) return;
  // Whether something is open is the reader's own.
  const own = ["DIALOG", "DETAILS"].includes(shown.nodeName) ? "open" : "";
  for (const { name, value } of fresh.attributes)
    if (name !== own && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  for (const { name } of [...shown.attributes])
    if (name !== own && !fresh.hasAttribute(name)) shown.removeAttribute(name);
  morphChildren(shown, fresh);
}

function morphChildren(shown, fresh) {
  const wanted = new Set([...fresh.children].map(keyOf).filter(Boolean));
  const keyed = new Map([...shown.children].filter(keyOf).map((each) => [keyOf(each), each]));
  for (const [key, each] of keyed) if (!wanted.has(key)) each.remove();
  let at = shown.firstChild;
  for (const next of [...fresh.childNodes]) {
    const match = keyOf(next) ? keyed.get(keyOf(next)) : unkeyed(at, next);
    if (!match || match.nodeName !== next.nodeName) {
      shown.insertBefore(next, at);
      continue;
    }
    // What stands between has no key and no place any more.
    while (at && at !== match && !keyOf(next)) at = dropped(at);
    if (match === at) at = at.nextSibling;
    else shown.insertBefore(match, at);
    morph(match, next);
  }
  while (at) at = dropped(at);
}

// The first node from `at` on that is like `next`, before one that has a key; a text only there.
function unkeyed(at, next) {
  let node = at;
  while (node && !keyOf(node) && !alike(node, next) && next.nodeType === Node.ELEMENT_NODE) {
    node = node.nextSibling;
  }
  return node && alike(node, next) ? node : null;
}

function dropped(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function show(target, html) {
  const fresh = target.cloneNode(false);
  fresh.innerHTML = html;
  writeTimes(fresh);
  morphChildren(target, fresh);
  openStreams();
}

// Live: one stream, closed in hidden tabs and while paused. What was seen is said when it is
// opened, so that only what differs from it comes.

const live = { source: null, seen: "", isPaused: false, again: 0 };

function sayLive(state, word) {
  const button = find("#live-switch");
  if (!button) return;
  button.dataset.state = state;
  button.setAttribute("aria-pressed", String(!live.isPaused));
  find("span", button).textContent = word;
}

function closeLive() {
  clearTimeout(live.again);
  live.source?.close();
  live.source = null;
}

function openLive() {
  const url = document.body.dataset.streamOfPage;
  closeLive();
  if (!url || live.isPaused || document.hidden) return;
  live.source = new EventSource(`${url}&seen=${live.seen}`);
  live.source.onopen = () => sayLive("live", "Live");
  live.source.addEventListener("shown", (event) => {
    const { html, title, dead, now } = JSON.parse(event.data);
    live.seen = event.lastEventId;
    ahead.by = now - Date.now();
    document.title = `${title} · Hotdesk`;
    countDead(dead);
    show(find("#main"), html);
  });
  live.source.addEventListener("gone", () => {
    closeLive();
    sayLive("lost", "Gone");
    say("This is not there any more.");
  });
  live.source.onerror = () => {
    sayLive("lost", "Reconnecting");
    if (live.source?.readyState !== EventSource.CLOSED) return; // It comes again by itself.
    closeLive();
    live.again = setTimeout(comeBack, 5000);
  };
}

async function comeBack() {
  const answer = await fetch("/whoami", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 401) location.reload(); // Which leads to the log-in.
  else openLive();
}

function countDead(dead) {
  const count = find("#dead-count");
  if (!count) return;
  count.textContent = dead;
  count.hidden = !dead;
}

function switchLive() {
  live.isPaused = !live.isPaused;
  sayLive("paused", "Paused");
  if (live.isPaused) closeLive();
  else openLive();
}

// What else streams: `data-stream` names events whose HTML is appended.

const streams = new Map();

function openStreams() {
  for (const [element, source] of streams) {
    if (element.isConnected && !document.hidden) continue;
    source.close();
    streams.delete(element);
  }
  if (document.hidden) return;
  for (const element of all("[data-stream]")) {
    if (streams.has(element) || "ended" in element.dataset) continue;
    const { after } = element.dataset;
    const source = new EventSource(element.dataset.stream + (after ? `?after=${after}` : ""));
    streams.set(element, source);
    source.addEventListener("append", (event) => {
      if (event.lastEventId) element.dataset.after = event.lastEventId;
      append(element, event.data);
    });
    source.addEventListener("end", () => {
      source.close();
      element.dataset.ended = "";
    });
  }
}

function append(element, html) {
  const follow = find(`[data-follow="${element.id}"]`);
  const fresh = element.cloneNode(false);
  fresh.innerHTML = html;
  writeTimes(fresh);
  find(":scope > .is-open", element)?.remove(); // What had not ended comes again.
  element.append(...fresh.childNodes);
  const most = Number(element.dataset.most) || 5000;
  while (element.childElementCount > most) element.firstElementChild.remove();
  if (!follow || follow.checked) element.scrollTop = element.scrollHeight;
}

// Forms: sent here, with the header that pages of others cannot send.

let toastEnds = 0;

function say(sentence) {
  const toast = find("#toast");
  if (!toast) return;
  toast.textContent = sentence;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => (toast.textContent = ""), 6000);
}

// An invitation stands behind the #, where neither servers nor their logs see it.
function comeIn(form) {
  const invitation = location.hash.slice(1);
  if (!form || !invitation) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.secret.value = invitation;
  form.requestSubmit();
}

async function send(form, button) {
  const problem = find(".problem", form);
  const body = new URLSearchParams(new FormData(form, button));
  if (problem) problem.textContent = "";
  button?.setAttribute("disabled", "");
  try {
    const answer = await fetch(button?.getAttribute("formaction") || form.action, {
      method: "POST",
      body,
      headers: { "Hotdesk-Request": "page" },
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const sentence = [told.detail, told.next].filter(Boolean).join("; ");
      throw new Error(sentence || `it was answered with ${answer.status}`);
    }
    done(form, told);
  } catch (error) {
    const sentence = error instanceof TypeError ? "Hotdesk does not answer." : error.message;
    if (problem) problem.textContent = sentence;
    else say(sentence);
  } finally {
    button?.removeAttribute("disabled");
  }
}

function done(form, { said, to }) {
  form.closest("dialog")?.close();
  form.reset();
  const target = new URL(to || location.href, location.href);
  if (target.origin !== location.origin) return;
  if (target.href === location.href && document.body.dataset.streamOfPage) {
    say(said);
    if (live.isPaused) location.reload();
    return; // What changed is pushed.
  }
  if (said) sessionStorage.setItem("said", said);
  location.assign(target);
}

// Keys and dialogs

let wentAt = -Infinity;

function onKey(event) {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
  const isGoing = event.timeStamp - wentAt < 1500;
  wentAt = event.key === "g" ? event.timeStamp : -Infinity;
  if (isGoing) find(`[data-go="${CSS.escape(event.key)}"]`)?.click();
  else if (event.key === "p") find("#live-switch")?.click();
  else if (event.key === "?") find("#keys")?.showModal();
  else if (event.key === "c" || event.key === "/") shortcut(event);
}

function shortcut(event) {
  const target = find(`[data-shortcut="${event.key}"]`);
  event.preventDefault();
  if (!target) location.assign(event.key === "/" ? "/jobs#find" : "/desks#compose");
  else if (target.matches("input")) target.focus();
  else target.click();
}

function onClick(event) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) find(`#${CSS.escape(button.dataset.open)}`)?.showModal();
  if ("close" in button.dataset) button.closest("dialog")?.close();
  if (button.id === "live-switch") switchLive();
  if (button.id === "theme-switch") switchTheme();
}

function onSubmit(event) {
  const { target: form, submitter } = event;
  if (form.method !== "post") return;
  event.preventDefault();
  send(form, submitter);
}

function onChange({ target }) {
  if (target.dataset.all) {
    for (const box of all(`input[name="${CSS.escape(target.dataset.all)}"]`)) {
      box.checked = target.checked;
    }
  }
  if ("wrap" in target.dataset) {
    find(`#${CSS.escape(target.dataset.wrap)}`)?.classList.toggle("is-wrapped", target.checked);
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.addEventListener("submit", onSubmit);
document.addEventListener("change", onChange);
document.addEventListener("visibilitychange", () => {
  openLive();
  openStreams();
});
// A page that comes back out of the browser's memory is old, and its stream is closed.
addEventListener("pageshow", ({ persisted }) => persisted && openLive());
addEventListener("pagehide", closeLive);

document.addEventListener("DOMContentLoaded", () => {
  live.seen = document.body.dataset.seen ?? "";
  writeTimes(document);
  setInterval(() => document.hidden || writeTimes(document), 1000);
  const said = sessionStorage.getItem("said");
  if (said) say(said);
  sessionStorage.removeItem("said");
  if (location.hash === "#find" || location.hash === "#compose") {
    const event = new KeyboardEvent("keydown", { key: location.hash === "#find" ? "/" : "c" });
    if (find(`[data-shortcut="${event.key}"]`)) shortcut(event);
  }
  comeIn(find("#login"));
  openLive();
  openStreams();
});
