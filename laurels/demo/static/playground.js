/* The playground: each button sends API requests, and the log shows them with their responses.
   What a user earns comes from the responses and the elements; nothing is decided here. */

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

/* ---- the current user, shared with other tabs and kept across reloads: a browser has one session ---- */

let me = null;

function storedPerson() {
  try {
    return JSON.parse(localStorage.getItem(STORE));
  } catch {
    return null;
  }
}

function storePerson(person) {
  me = person;
  try {
    localStorage.setItem(STORE, JSON.stringify(person));
  } catch {} // without storage the user lasts until the page is reloaded
}

/* ---- requests ---- */

class Trouble extends Error {
  constructor(text, status = 0, byKey = false) {
    super(text);
    Object.assign(this, {status, byKey});
  }
}

/* Sends a request and logs it; the log and the curl command are built from the same parts. */
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
  storePerson({...person, token: session.token, demo: given.key});
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

function summary({results: [result]}) {
  const {status, points, level, awards = []} = result;
  return [
    t(status === "duplicate" ? "duplicate" : "recorded"),
    points && t("points", {before: some(points.before), after: some(points.after)}),
    ...awards.map((award) => t("earned", {...award, points: some(award.points)})),
    level && t("level", {level: level.after, title: level.title}),
  ];
}

/* The event is created once, so that a retry sends the same id and counts once. */
function event(type, more = {}) {
  const body = {userId: me.userId, id: `${type.split(".")[0]}-${randomId()}`, type, ...more};
  return [async () => summary(await ask("POST", `${API}/events`, {body}))];
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

/* Runs steps in order, one action after another; a retry skips the steps that are done. */
let running = Promise.resolve();

function run(button, steps, lines = []) {
  if (button.getAttribute("aria-disabled") === "true") return running;
  button.setAttribute("aria-disabled", "true"); // not `disabled`, which would take the focus away
  running = running.then(async () => {
    try {
      while (steps.length) {
        lines.push(await steps[0]());
        steps.shift();
      }
      settle(button);
      by("result").textContent = lines.flat().filter(Boolean).join(" ");
      if (button !== input) replaceStory();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      complain(error, button, steps, lines);
    } finally {
      button.removeAttribute("aria-disabled");
      window.dispatchEvent(new Event("laurels:refresh"));
    }
  });
  return running;
}

/* After an action the story is outdated; the time zone still holds. */
function replaceStory() {
  by("story").textContent = me.timeZone;
  for (const person of given.people) if (person.userId === me.userId) person.story = me.timeZone;
}

function complain(trouble, button, steps, lines) {
  const expired = trouble.status === 401 && !trouble.byKey;
  const stale = trouble.status === 401 && trouble.byKey;
  const text = stale ? t("reload") : expired ? t("sign_in_again", {name: me.name}) : t("again");
  const again = el("button", {id: "try-again", type: "button"}, text);
  again.addEventListener("click", () => {
    if (stale) location.reload();
    else run(button, expired ? [...actAs(me), ...steps.slice(1)] : steps, lines);
  });
  by("result").textContent = "";
  by("trouble").replaceChildren(el("p", {}, trouble.message), again);
}

/* Removes the error with its button; the focus returns to the button that started the action. */
function settle(button) {
  const focused = by("trouble").contains(document.activeElement);
  by("trouble").replaceChildren();
  if (focused) button.focus();
}

/* ---- what the user sees ---- */

/* Creates new elements, because with another session their data and stream belong to another user. */
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

const dateText = (instant, style) => new Intl.DateTimeFormat(language, {...style, timeZone: me?.timeZone}).format(instant);

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

function highlighted(value) {
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
  if (request.body) details.push(highlighted(request.body));
  if (data !== undefined) details.push(el("p", {className: "label"}, t("answer")), ...lines(headers), highlighted(data));
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

document.addEventListener("laurels-notification", ({detail}) => {
  const request = {method: "GET", path: `${API}/stream`, headers: {}, token: me.token};
  const head = [el("b", {className: "method live"}, t("notification")), el("span", {className: "path"}, detail.type)];
  enter(head, [highlighted(detail)], command(request, ["-N"]), "notification");
});

/* A request is open until the next one; a notification is added closed and closes nothing. */
function enter(head, details, curl, kind = "request") {
  const log = by("log");
  log.querySelector(".empty")?.remove();
  if (kind === "request") {
    for (const open of log.querySelectorAll("details[open]:not([data-opened])")) open.open = false;
    log.scrollTop = 0;
  }
  const folded = el("details", {open: kind === "request"}, el("summary", {}, ...head), el("div", {className: "body"}, ...details));
  folded.firstChild.addEventListener("click", () => (folded.dataset.opened = "")); // stays open once a user opens it
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

/* ---- choosing a user: a combobox with a list, after the ARIA Authoring Practices ---- */

const input = by("person");
const list = by("people");
const plainText = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
let active = -1;

function open(sought = "") {
  const wanted = plainText(sought);
  const found = given.people.filter(({name, story, timeZone}) => plainText(`${name} ${story} ${timeZone ?? ""}`).includes(wanted));
  list.replaceChildren(...found.map(option));
  if (!found.length) list.append(el("li", {className: "none", role: "option", ariaDisabled: "true"}, t("no_match")));
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

/* ---- start ---- */

for (const [id, steps] of Object.entries(ACTIONS)) {
  by(id).addEventListener("click", ({currentTarget, detail}) => {
    if (me && detail !== 2) run(currentTarget, steps()); // 2: the second click of a double click
  });
}

const before = storedPerson();
if (before?.demo === given.key) {
  me = before;
  showPerson();
  run(input, [visit, mount]);
} else run(input, actAs(before ?? given.people[0]));
