/* The playground: each button sends plain requests to the API, and the log shows them with their answers.
   Nothing is decided here: what an act earns, the answers and the elements beside say. */

const root = document.getElementById("playground");
const given = JSON.parse(root.dataset.given);
const language = document.documentElement.lang;
const API = "/api/gamification";
const STORE = "laurels-playground";
const MOST_ENTRIES = 60;
const WAIT = 20000;
const SHOWN_HEADERS = ["content-type", "cache-control", "retry-after", "ratelimit"];

const by = (id) => document.getElementById(id);

function el(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const t = (key, values = {}) => given.texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const some = (number) => new Intl.NumberFormat(language).format(number);

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Date.now().toString(36) + Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("");
}

/* ---- who one is, also after a reload and in other tabs: a browser has one session ---- */

let me = null;

function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE));
  } catch {
    return null;
  }
}

function keep(person) {
  me = person;
  try {
    localStorage.setItem(STORE, JSON.stringify(person));
  } catch {} // a browser that keeps nothing plays as well, until it reloads
}

/* ---- requests ---- */

class Trouble extends Error {
  constructor(text, status = 0, byKey = false) {
    super(text);
    Object.assign(this, {status, byKey});
  }
}

/* One request as it is sent, as it is shown, and as a command: all from the same parts. */
async function ask(method, path, {body, asUser = false, session = null} = {}) {
  const headers = asUser ? {} : {"Authorization": `Bearer ${given.key}`};
  if (body) headers["Content-Type"] = "application/json";
  const request = {method, path, headers, body, token: asUser ? session ?? me.token : null};
  const began = performance.now();
  let answer;
  let data;
  try {
    answer = await fetch(path, {method, headers, body: body && JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(WAIT)});
    data = await answer.json();
  } catch {
    note(request, {status: "–", took: performance.now() - began});
    throw new Trouble(t("no_server"));
  }
  const shown = SHOWN_HEADERS.filter((name) => answer.headers.has(name)).map((name) => [name, answer.headers.get(name)]);
  note(request, {status: answer.status, ok: answer.ok, took: performance.now() - began, headers: shown, data});
  if (answer.ok) return data;
  if (answer.status === 401) throw new Trouble(t(asUser ? "signed_out" : "new_demo"), 401, !asUser);
  if (answer.status === 429) throw new Trouble(t("too_many", {seconds: answer.headers.get("retry-after") ?? 1}), 429);
  throw new Trouble(t("refused", {detail: data.detail ?? data.title ?? answer.status}), answer.status);
}

/* ---- what the buttons do ---- */

async function signIn(person) {
  const body = {userId: person.userId, ...(person.isNew ? {name: person.name, timeZone: person.timeZone} : {})};
  const session = await ask("POST", `${API}/sessions`, {body});
  keep({...person, token: session.token, demo: given.key});
  showPerson();
}

async function visit() {
  const profile = await ask("GET", `${API}/profile`, {asUser: true});
  const won = profile.badges.find((badge) => badge.id === profile.badgeAwarded);
  return [t("streak", {days: some(profile.streak)}), won && t("earned", {...won, points: some(won.points)})];
}

async function moveClock() {
  const clock = await ask("POST", `${API}/clock`, {body: {days: 1, timeZone: me.timeZone}});
  setClock(clock.now);
  return t("day", {date: dateText(new Date(clock.now), {dateStyle: "full"})});
}

function told({results: [result]}) {
  const {status, points, level, awards = []} = result;
  return [
    t(status === "duplicate" ? "duplicate" : "recorded"),
    points && t("points", {before: some(points.before), after: some(points.after)}),
    ...awards.map((award) => t("earned", {...award, points: some(award.points)})),
    level && t("level", {level: level.after, title: level.title}),
  ];
}

/* The event is made once, so that another try sends the same id and counts once. */
function event(type, more = {}) {
  const body = {userId: me.userId, id: `${type.split(".")[0]}-${randomId()}`, type, ...more};
  return [async () => told(await ask("POST", `${API}/events`, {body}))];
}

const ACTIONS = {
  "create-agent": () => event("agent.created"),
  "send-messages": () => event("message.sent", {quantity: 10}),
  "refer-friend": () => event("referral.completed"),
  "come-back": () => [moveClock, visit],
  "skip-day": () => [moveClock, () => t("streak_waits")],
};

function actAs(person) {
  return [
    async () => {
      await signIn(person);
      return t("now_acting", {name: person.name});
    },
    visit,
    mount,
  ];
}

/* Steps in order, one act after another; what was done is not done again by another try. */
let running = Promise.resolve();

function run(button, steps, said = []) {
  if (button.getAttribute("aria-disabled") === "true") return running;
  button.setAttribute("aria-disabled", "true"); // not `disabled`, which would take the focus away
  running = running.then(async () => {
    try {
      while (steps.length) {
        said.push(await steps[0]());
        steps.shift();
      }
      settle(button);
      by("result").textContent = said.flat().filter(Boolean).join(" ");
      if (button !== input) outlive();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      complain(error, button, steps, said);
    } finally {
      button.removeAttribute("aria-disabled");
      window.dispatchEvent(new Event("laurels:refresh"));
    }
  });
  return running;
}

/* Somebody's story tells what was before this; what stays true is where they are. */
function outlive() {
  by("story").textContent = me.timeZone;
  for (const person of given.people) if (person.userId === me.userId) person.story = me.timeZone;
}

function complain(trouble, button, steps, said) {
  const expired = trouble.status === 401 && !trouble.byKey;
  const stale = trouble.status === 401 && trouble.byKey;
  const text = stale ? t("reload") : expired ? t("sign_in_again", {name: me.name}) : t("again");
  const again = el("button", {id: "try-again", type: "button"}, text);
  again.addEventListener("click", () => {
    if (stale) location.reload();
    else run(button, expired ? [...actAs(me), ...steps.slice(1)] : steps, said);
  });
  by("result").textContent = "";
  by("trouble").replaceChildren(el("p", {}, trouble.message), again);
}

/* The button that was pressed last goes with its trouble; the focus goes on to where it began. */
function settle(button) {
  const focused = by("trouble").contains(document.activeElement);
  by("trouble").replaceChildren();
  if (focused) button.focus();
}

/* ---- what the person sees ---- */

/* The elements anew: with another session, what they have read and the stream they hear are another's. */
async function mount() {
  const seen = by("seen");
  seen.replaceChildren();
  document.querySelector("laurels-toast")?.remove();
  await import(given.elements);
  const board = el("laurels-leaderboard");
  board.setAttribute("board", "weekly");
  board.setAttribute("limit", "5");
  const profile = el("laurels-profile", {}, el("laurels-streak"));
  board.setAttribute("heading", "3");
  seen.append(profile, board);
  document.body.append(el("laurels-toast"));
}

function showPerson() {
  by("person").value = me.name;
  by("story").textContent = given.people.find((person) => person.userId === me.userId)?.story ?? "";
  const title = by("seen-title");
  title.textContent = title.dataset.title.replace("{name}", me.name);
  showClock();
}

/* ---- the clock of the sandbox ---- */

let ahead = new Date(given.now) - Date.now();

const dateText = (moment, style) => new Intl.DateTimeFormat(language, {...style, timeZone: me?.timeZone}).format(moment);

function showClock() {
  const now = new Date(Date.now() + ahead);
  by("clock").dateTime = now.toISOString();
  by("clock").textContent = `${dateText(now, {dateStyle: "full", timeStyle: "short"})} (${me?.timeZone ?? "UTC"})`;
}

function setClock(now) {
  ahead = new Date(now) - Date.now();
  showClock();
  try {
    localStorage.setItem(`${STORE}-clock`, now);
  } catch {}
}

setInterval(showClock, 15000);

window.addEventListener("storage", ({key, newValue}) => {
  if (key === `${STORE}-clock` && newValue) {
    ahead = new Date(newValue) - Date.now();
    showClock();
    window.dispatchEvent(new Event("laurels:refresh"));
  }
  if (key === STORE && newValue) {
    const other = JSON.parse(newValue).userId !== me?.userId;
    me = JSON.parse(newValue);
    showPerson();
    if (other) by("result").textContent = t("other_tab", {name: me.name});
    mount();
  }
});

/* ---- the log ---- */

const TOKENS = /("(?:\\.|[^"\\])*")(?=(\s*:)?)|\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g;

function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  const code = el("code");
  let at = 0;
  for (const found of text.matchAll(TOKENS)) {
    const kind = found[2] ? "key" : found[1] ? "text" : "value";
    code.append(text.slice(at, found.index), el("span", {className: kind}, found[0]));
    at = found.index + found[0].length;
  }
  code.append(text.slice(at));
  return el("pre", {}, code);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function command({method, path, headers, body, token}, options = []) {
  const parts = ["curl", "-s", "-w", String.raw`'\n'`, ...options];
  if (method !== (body ? "POST" : "GET")) parts.push("-X", method);
  if (token) parts.push("-b", quoted(`laurels-session=${token}`));
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quoted(`${name}: ${value}`));
  if (body) parts.push("-d", quoted(JSON.stringify(body)));
  return [...parts, quoted(location.origin + path)].join(" ");
}

const shortened = (text) => text.replace(/(laurels_(?:key|session)_.{4})\S+/g, "$1…");

function lines(pairs) {
  const list = el("dl");
  for (const [name, value] of pairs) list.append(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  return pairs.length ? [list] : [];
}

function note(request, {status, ok = false, took, headers = [], data}) {
  const sent = Object.entries(request.headers).map(([name, value]) => [name, shortened(value)]);
  if (request.token) sent.push(["Cookie", `laurels-session=${shortened(request.token)}`]);
  const details = [el("p", {className: "label"}, t("request")), ...lines(sent)];
  if (request.body) details.push(coloured(request.body));
  if (data !== undefined) details.push(el("p", {className: "label"}, t("answer")), ...lines(headers), coloured(data));
  enter(
    [
      el("b", {className: "method"}, request.method),
      el("span", {className: "path"}, request.path),
      el("span", {className: ok ? "status ok" : "status"}, String(status)),
      el("span", {className: "quiet"}, `${some(Math.round(took))} ms`),
    ],
    details,
    command(request),
  );
}

document.addEventListener("laurels-moment", ({detail}) => {
  const request = {method: "GET", path: `${API}/stream`, headers: {}, token: me.token};
  const head = [el("b", {className: "method live"}, t("moment")), el("span", {className: "path"}, detail.type)];
  enter(head, [coloured(detail)], command(request, ["-N"]), "moment");
});

/* What one did stands open until the next of it; a moment folds nothing away, and may be opened. */
function enter(head, details, curl, kind = "request") {
  const log = by("log");
  log.querySelector(".empty")?.remove();
  if (kind === "request") {
    for (const open of log.querySelectorAll("details[open]:not([data-kept])")) open.open = false;
    log.scrollTop = 0;
  }
  const folded = el("details", {open: kind === "request"}, el("summary", {}, ...head), el("div", {className: "body"}, ...details));
  folded.firstChild.addEventListener("click", () => (folded.dataset.kept = "")); // what a person opens stays open
  const copy = el("button", {type: "button", className: "copy"}, t("copy"));
  copy.addEventListener("click", () => copyText(copy, curl));
  log.prepend(el("li", {className: kind}, folded, copy));
  while (log.childElementCount > MOST_ENTRIES) log.lastElementChild.remove();
}

async function copyText(button, text) {
  button.parentElement.querySelector("textarea")?.remove();
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = t("copied");
    by("result").textContent = t("copied");
    setTimeout(() => (button.textContent = t("copy")), 2000);
  } catch {
    const area = el("textarea", {readOnly: true, rows: 4, value: text, ariaLabel: t("copy")});
    button.after(area);
    area.select();
    by("result").textContent = t("copy_by_hand");
  }
}

by("clear-log").addEventListener("click", () => by("log").replaceChildren());

/* ---- choosing somebody: a combobox with a list, as the ARIA practices describe it ---- */

const input = by("person");
const list = by("people");
const plainText = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
let active = -1;

function open(sought = "") {
  const wanted = plainText(sought);
  const found = given.people.filter(({name, story, timeZone}) => plainText(`${name} ${story} ${timeZone ?? ""}`).includes(wanted));
  list.replaceChildren(...found.map(option));
  if (!found.length) list.append(el("li", {className: "none", role: "option", ariaDisabled: "true"}, t("nobody_found")));
  list.hidden = false;
  input.ariaExpanded = "true";
  activate(found.length ? Math.max(0, sought ? 0 : found.findIndex((person) => person.userId === me?.userId)) : -1);
}

function option(person, index) {
  const item = el("li", {id: `person-${index}`, role: "option", ariaSelected: "false"}, el("b", {}, person.name), el("span", {}, person.story));
  item.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
  item.addEventListener("click", () => choose(person));
  item.person = person;
  return item;
}

function activate(index) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = index;
  const item = list.children[index];
  item?.setAttribute("aria-selected", "true");
  item?.scrollIntoView({block: "nearest"});
  if (item) input.setAttribute("aria-activedescendant", item.id);
  else input.removeAttribute("aria-activedescendant");
}

function close() {
  list.hidden = true;
  input.ariaExpanded = "false";
  input.removeAttribute("aria-activedescendant");
  input.value = me?.name ?? "";
}

function choose(person) {
  if (input.getAttribute("aria-disabled") === "true") return close();
  const name = person.userId ? person.name : `${t("visitor")} ${randomId().slice(-4)}`;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  const chosen = person.userId ? {...person} : {userId: `visitor-${randomId()}`, name, timeZone: zone, isNew: true};
  close();
  input.value = chosen.name;
  run(input, actAs(chosen));
}

const KEYS = {
  ArrowDown: () => (list.hidden ? open() : activate((active + 1) % list.childElementCount)),
  ArrowUp: () => (list.hidden ? open() : activate((active + list.childElementCount - 1) % list.childElementCount)),
  Enter: () => (list.hidden ? open() : list.children[active]?.person && choose(list.children[active].person)),
  Escape: close,
};

input.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.isComposing) return;
  event.preventDefault();
  KEYS[event.key]();
});
input.addEventListener("input", () => open(input.value));
input.addEventListener("click", () => list.hidden && open());
input.addEventListener("focus", () => input.select());
input.addEventListener("blur", close);

/* ---- the beginning ---- */

for (const [id, steps] of Object.entries(ACTIONS)) by(id).addEventListener("click", ({currentTarget}) => me && run(currentTarget, steps()));

const before = kept();
if (before?.demo === given.key) {
  me = before;
  showPerson();
  run(input, [visit, mount]);
} else run(input, actAs(before ?? given.people[0]));
