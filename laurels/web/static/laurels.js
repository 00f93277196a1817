/* Laurels for any page: <laurels-profile>, <laurels-streak>, <laurels-leaderboard>, <laurels-toast>.
   One script tag of type "module" is enough. How they are used, themed and translated: docs/widgets.md.
   Nothing is decided here: numbers, orders and sentences are shown as the server tells them. */

const HOME = new URL(import.meta.url).origin;

/* Every visible text, as JSON. A text that counts has a form for each plural of its language. */
const TEXTS = {
  "en": {
    "level": "Level {n}",
    "points": {"one": "{n} point", "other": "{n} points"},
    "pointsWord": {"one": "point", "other": "points"},
    "ofPoints": "{n} of {of} points",
    "toNext": {"one": "{n} point to level {level}", "other": "{n} points to level {level}"},
    "top": "The highest level. Well earned.",
    "progress": "Progress to level {level}",
    "rank": "Rank",
    "rankOf": "{n} of {of}",
    "noRank": "With your first points",
    "badges": "Badges",
    "earned": "Badges earned",
    "toCome": "Badges to come",
    "all": "You have every badge there is.",
    "plus": "+{n}",
    "share": "{n} / {of}",
    "firstStep": "Your first step",
    "firstText": "Everything you earn will show here. A good beginning:",
    "streak": "Streak",
    "days": {"one": "day in a row", "other": "days in a row"},
    "weeks": {"one": "week in a row", "other": "weeks in a row"},
    "active": "You are in for today.",
    "activeWeek": "You are in for this week.",
    "at_risk": "Still open. There is time until {until}.",
    "frozen": "A freeze keeps it for you. There is time until {until}.",
    "paused": "Paused. It waits for you.",
    "ended": "Ready for a fresh start.",
    "none": "It begins with your first day.",
    "midnight": "midnight",
    "longest": "Longest",
    "nDays": {"one": "{n} day", "other": "{n} days"},
    "nWeeks": {"one": "{n} week", "other": "{n} weeks"},
    "freezes": "Freezes",
    "total": "In all",
    "calendar": "The last 5 weeks",
    "dayIs": "{day}: {why}",
    "weekOf": "Week of {day}",
    "today": "today",
    "why.credited": "counted",
    "why.frozen": "kept by a freeze",
    "why.excused": "not needed",
    "why.paused": "paused",
    "why.missed": "not here",
    "why.open": "still open",
    "place": "Place",
    "name": "Name",
    "team": "Team",
    "score": "Score",
    "you": "You",
    "yourLine": "Your place",
    "yourTeam": "Your team",
    "notRanked": "You are not on this board yet. Your first points put you there.",
    "ranked": {"one": "{n} on the board", "other": "{n} on the board"},
    "period": "Period",
    "current": "Now",
    "previous": "Before",
    "allTime": "All time",
    "endsIn": "ends {in}",
    "more": "Show more",
    "noLines": "Nobody stands here yet. The first place is free.",
    "noBefore": "There was no period before this one.",
    "medal.1": "Gold",
    "medal.2": "Silver",
    "medal.3": "Bronze",
    "loading": "Loading",
    "out": "You are signed out",
    "outText": "Sign in to see what you have earned.",
    "failed": "This cannot be shown just now",
    "offline": "The server cannot be reached. Are you online?",
    "unknown": "There is nothing of this name.",
    "answered": "The server answered: {says}",
    "old": "As of {at}. The server cannot be reached.",
    "again": "Try again",
    "news": "News",
    "dismiss": "Dismiss",
    "toast.badge": "Badge earned",
    "toast.level": "Level {n} reached",
    "toast.streak": "Streak extended",
    "toast.begun": "A streak begins",
    "toast.climbed": "Place {n}",
    "toast.climbedText": "You climbed on the leaderboard.",
    "toast.closedText": "That is where you came in when the leaderboard closed."
  },
  "de": {
    "level": "Level {n}",
    "points": {"one": "{n} Punkt", "other": "{n} Punkte"},
    "pointsWord": {"one": "Punkt", "other": "Punkte"},
    "ofPoints": "{n} von {of} Punkten",
    "toNext": {"one": "noch {n} Punkt bis Level {level}", "other": "noch {n} Punkte bis Level {level}"},
    "top": "Das höchste Level. Wohlverdient.",
    "progress": "Fortschritt zu Level {level}",
    "rank": "Rang",
    "rankOf": "{n} von {of}",
    "noRank": "Mit deinen ersten Punkten",
    "badges": "Abzeichen",
    "earned": "Verdiente Abzeichen",
    "toCome": "Kommende Abzeichen",
    "all": "Du hast alle Abzeichen, die es gibt.",
    "plus": "+{n}",
    "share": "{n} / {of}",
    "firstStep": "Dein erster Schritt",
    "firstText": "Hier erscheint alles, was du verdienst. Ein guter Anfang:",
    "streak": "Serie",
    "days": {"one": "Tag in Folge", "other": "Tage in Folge"},
    "weeks": {"one": "Woche in Folge", "other": "Wochen in Folge"},
    "active": "Für heute bist du dabei.",
    "activeWeek": "Für diese Woche bist du dabei.",
    "at_risk": "Noch offen. Zeit ist bis {until}.",
    "frozen": "Ein Joker hält sie für dich. Zeit ist bis {until}.",
    "paused": "Pausiert. Sie wartet auf dich.",
    "ended": "Bereit für einen neuen Anfang.",
    "none": "Sie beginnt mit deinem ersten Tag.",
    "midnight": "Mitternacht",
    "longest": "Längste",
    "nDays": {"one": "{n} Tag", "other": "{n} Tage"},
    "nWeeks": {"one": "{n} Woche", "other": "{n} Wochen"},
    "freezes": "Joker",
    "total": "Insgesamt",
    "calendar": "Die letzten 5 Wochen",
    "dayIs": "{day}: {why}",
    "weekOf": "Woche vom {day}",
    "today": "heute",
    "why.credited": "zählt",
    "why.frozen": "mit Joker gehalten",
    "why.excused": "nicht nötig",
    "why.paused": "pausiert",
    "why.missed": "nicht hier",
    "why.open": "noch offen",
    "place": "Platz",
    "name": "Name",
    "team": "Team",
    "score": "Stand",
    "you": "Du",
    "yourLine": "Dein Platz",
    "yourTeam": "Dein Team",
    "notRanked": "Du stehst noch nicht auf dieser Rangliste. Deine ersten Punkte bringen dich hinein.",
    "ranked": {"one": "{n} auf der Rangliste", "other": "{n} auf der Rangliste"},
    "period": "Zeitraum",
    "current": "Jetzt",
    "previous": "Davor",
    "allTime": "Alle Zeiten",
    "endsIn": "endet {in}",
    "more": "Mehr zeigen",
    "noLines": "Hier steht noch niemand. Der erste Platz ist frei.",
    "noBefore": "Vor diesem Zeitraum gab es keinen.",
    "medal.1": "Gold",
    "medal.2": "Silber",
    "medal.3": "Bronze",
    "loading": "Lädt",
    "out": "Du bist abgemeldet",
    "outText": "Melde dich an, um zu sehen, was du verdient hast.",
    "failed": "Das lässt sich gerade nicht zeigen",
    "offline": "Der Server ist nicht erreichbar. Bist du online?",
    "unknown": "Unter diesem Namen gibt es nichts.",
    "answered": "Der Server antwortet: {says}",
    "old": "Stand {at}. Der Server ist nicht erreichbar.",
    "again": "Noch einmal",
    "news": "Neuigkeiten",
    "dismiss": "Schließen",
    "toast.badge": "Abzeichen verdient",
    "toast.level": "Level {n} erreicht",
    "toast.streak": "Serie verlängert",
    "toast.begun": "Eine Serie beginnt",
    "toast.climbed": "Platz {n}",
    "toast.climbedText": "Du bist auf der Rangliste gestiegen.",
    "toast.closedText": "Dort standest du, als die Rangliste schloss."
  }
};

/* ---- making nodes: never from markup, so that no text of anybody is read as such ---- */

const make = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};
const h = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
const s = (name, attributes, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
const hidden = (text) => h("span", {class: "hidden"}, text);
const sign = (path, name) => s("svg", {class: `sign ${name ?? ""}`, viewBox: "0 0 16 16", "aria-hidden": "true"}, s("path", {d: path}));

const FLAME = "M8.3.8c.5 2.6 3.9 4.3 3.9 8.2A4.3 4.3 0 0 1 8 13.5 4.3 4.3 0 0 1 3.8 9c0-1.7.8-2.9 1.7-3.8.1 1.2.6 1.8 1.2 2.100C6.4 4.9 6.7 2.4 8.3.8z";
const SIGNS = {
  credited: "M4 8.5 6.8 11.2 12 5.5",
  frozen: "M8 2.500v11M3.2 5.200l9.6 5.600M12.8 5.200l-9.6 5.6",
  excused: "M5 8h6",
  paused: "M6.3 5.300v5.400M9.7 5.300v5.4",
  missed: "M8 8h.01",
  open: "",
};

/* ---- what is read, once for all elements of a page ---- */

const resources = new Map();
const streams = new Map();

class Resource {
  constructor(url, base) {
    Object.assign(this, {url, base, readers: new Set(), data: null, problem: null, at: null, asking: null, again: null});
  }

  /* The resource of an address with one more reader. The first reader's request is the visit. */
  static join(url, base, reader) {
    let one = resources.get(url);
    if (!one) resources.set(url, (one = new Resource(url, base)));
    one.readers.add(reader);
    if (!one.data && !one.asking) one.load({visit: true});
    return one;
  }

  leave(reader) {
    this.readers.delete(reader);
    // Later, for an element that is moved leaves and joins at once.
    queueMicrotask(() => {
      if (!this.readers.size && resources.get(this.url) === this) resources.delete(this.url);
    });
  }

  /* Only a visit may count as the day's login; a request that asks while another is on its way comes after it. */
  load(options = {}) {
    if (this.asking) this.again = {visit: options.visit || this.again?.visit};
    else
      this.asking = this.ask(options).finally(() => {
        const again = this.again;
        this.asking = this.again = null;
        if (again && this.readers.size) this.load(again);
        for (const reader of [...this.readers]) reader.told();
      });
    return this.asking;
  }

  async ask({visit}) {
    const answer = await read(this.url, visit);
    this.problem = answer.problem ?? null;
    if (answer.data) Object.assign(this, {data: answer.data, at: new Date()});
    if (this.problem?.status === 401) this.data = null;
    if (answer.data) streamOf(this.base).open();
    if (answer.data?.availableBadges) announce("laurels-profile", answer.data);
  }
}

async function read(url, visit) {
  const headers = visit ? {accept: "application/json"} : {accept: "application/json", "x-purpose": "preview"};
  try {
    const answer = await fetch(url, {credentials: "include", headers, signal: AbortSignal.timeout(20000)});
    const body = await answer.json().catch(() => null);
    return answer.ok && body ? {data: body} : {problem: {status: answer.status, says: body?.title ?? String(answer.status)}};
  } catch {
    return {problem: {status: 0}};
  }
}

const announce = (name, detail) => document.dispatchEvent(new CustomEvent(name, {detail}));

/* One stream for each server, open while any element stands in the page. */
class Stream {
  constructor(base) {
    Object.assign(this, {base, readers: new Set(), source: null, timer: 0});
  }

  join(reader) {
    this.readers.add(reader);
  }

  leave(reader) {
    this.readers.delete(reader);
    queueMicrotask(() => this.readers.size || this.close());
  }

  open() {
    if (this.source || !this.readers.size) return;
    this.source = new EventSource(`${this.base}/api/gamification/stream`, {withCredentials: true});
    this.source.addEventListener("moment", (event) => this.take(event));
    // What is closed was refused (401, 404): the browser tries no more, and neither do we, until the page is told to refresh.
    // A line that is cut stays open to it: the browser connects again by itself.
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
  }

  reopen() {
    if (this.source?.readyState === EventSource.CLOSED) this.close();
    this.open();
  }

  take(event) {
    let moment = null;
    try {
      moment = JSON.parse(event.data);
    } catch {}
    if (typeof moment?.type !== "string") return;
    announce("laurels-moment", moment);
    for (const reader of [...this.readers]) reader.happened?.(moment);
    // Moments come in groups; what they changed is read once.
    clearTimeout(this.timer);
    this.timer = setTimeout(() => refresh({base: this.base}), 150);
  }
}

const streamOf = (base) => streams.get(base) ?? streams.set(base, new Stream(base)).get(base);

function refresh({base, visit} = {}) {
  for (const one of resources.values()) if (!base || one.base === base) one.load({visit});
}

const today = () => new Date().toDateString();
let seen = today();
document.addEventListener("visibilitychange", () => {
  if (document.hidden || seen === today()) return;
  seen = today();
  refresh({visit: true});
});
window.addEventListener("laurels:refresh", () => {
  refresh();
  for (const stream of streams.values()) stream.reopen();
});

/* ---- the look ---- */

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host {
  --accent: var(--laurels-accent, light-dark(#1f6f4a, #7dd3a3));
  --on-accent: var(--laurels-on-accent, light-dark(#fff, #10241a));
  --ground: var(--laurels-ground, light-dark(#fffdf8, #1f1d19));
  --text: var(--laurels-text, light-dark(#27231b, #f2ede2));
  --quiet: var(--laurels-quiet, light-dark(#675f50, #b5ac9a));
  --line: var(--laurels-line, light-dark(#e4dccb, #37332b));
  --flame: var(--laurels-flame, light-dark(#c2500f, #ffa45c));
  --frost: var(--laurels-frost, light-dark(#2b6a94, #8ec9ee));
  --radius: var(--laurels-radius, 1.25rem);
  display: block; container-type: inline-size; color: var(--text); text-align: start;
  font: 400 1rem/1.5 var(--laurels-font, inherit);
}
:host([theme=light]) { color-scheme: light }
:host([theme=dark]) { color-scheme: dark }
:host([hidden]) { display: none }
*, ::before { box-sizing: border-box }
h1, h2, h3, h4, h5, h6, p, ul, dl, dd, dt, table { margin: 0; padding: 0; font: inherit }
ul { list-style: none }
.hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.card { background: var(--ground); border: 1px solid var(--line); border-radius: var(--radius); padding: clamp(1.1rem, 4cqi, 1.75rem); min-inline-size: 0 }
.stack { display: grid; gap: 1.5rem }
.quiet { color: var(--quiet) }
.small { font-size: .875rem }
.eyebrow { color: var(--accent); font-size: .875rem; font-weight: 650; letter-spacing: .02em }
.title { font-size: 1.5rem; font-weight: 700; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; text-wrap: balance }
.heading { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .6rem; font-size: 1.125rem; font-weight: 650 }
.num { font-variant-numeric: tabular-nums }
button { min-block-size: 2.75rem; padding: .4rem 1.1rem; border: 1px solid var(--line); border-radius: 2rem; background: transparent; color: inherit; font: inherit; cursor: pointer }
button:hover { border-color: var(--accent) }
button:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.sign { inline-size: 1em; block-size: 1em; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }

.top { display: grid; gap: 1.5rem; align-items: stretch }
.hero { display: flex; flex-wrap: wrap; align-items: center; gap: 1.25rem 1.75rem }
.ring { flex: none; position: relative; inline-size: 9rem; block-size: 9rem; margin-inline: auto }
.ring svg { inline-size: 100%; block-size: 100%; transform: rotate(-90deg); overflow: visible }
.ring circle { fill: none; stroke: var(--line); stroke-width: 8 }
.ring .arc { stroke: var(--accent); stroke-linecap: round }
.ring div { position: absolute; inset: 0; display: grid; place-content: center; text-align: center; line-height: 1.2 }
.ring b { font-size: 1.75rem; letter-spacing: -.02em }
.about { flex: 1 1 13rem; min-inline-size: 0; display: grid; gap: .35rem }
.bar { block-size: .5rem; border-radius: 1rem; background: var(--line); overflow: hidden }
.bar div { block-size: 100%; border-radius: inherit; background: var(--accent); inline-size: var(--share) }
.thin { block-size: .25rem }
.about .bar { margin-block: .4rem .1rem }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin-block-start: .75rem }
.facts dt { color: var(--quiet); font-size: .875rem }
.facts dd { font-weight: 650 }

.badges { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1.25rem 1.5rem; margin-block-start: 1.25rem }
.badge { display: flex; gap: .9rem; min-inline-size: 0 }
.icon { flex: none; display: grid; place-items: center; inline-size: 3rem; block-size: 3rem; border-radius: 50%; font-size: 1.5rem; line-height: 1; background: color-mix(in srgb, var(--accent) 14%, transparent); box-shadow: inset 0 0 0 2px var(--accent) }
.coming .icon { background: none; box-shadow: none; border: 2px dashed var(--line) }
.coming .icon span { filter: grayscale(1); opacity: .75 }
.badge > div { flex: 1; min-inline-size: 0; overflow-wrap: anywhere }
.row { display: flex; justify-content: space-between; gap: .75rem }
.name { font-weight: 650 }
.first { border-color: var(--accent) }

.head { display: flex; align-items: center; gap: .9rem }
.flame { flex: none; inline-size: 3.25rem; block-size: 3.25rem; fill: var(--flame); stroke: none }
.cold .flame { fill: var(--line) }
.count { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .5rem }
.count b { font-size: 2.25rem; line-height: 1; letter-spacing: -.03em }
.calendar { inline-size: 100%; max-inline-size: 22rem; margin-block: 1.1rem .6rem; border-collapse: collapse; table-layout: fixed }
.calendar th { padding-block: .2rem; color: var(--quiet); font-size: .8rem; font-weight: 400 }
.calendar td { padding: .15rem; text-align: center; position: relative }
.day { display: inline-grid; place-items: center; inline-size: min(2rem, 100%); aspect-ratio: 1; border-radius: 50%; border: 2px solid transparent; color: var(--quiet); vertical-align: middle; font-size: 1rem }
.credited { background: var(--accent); color: var(--on-accent) }
.frozen { border-color: var(--frost); color: var(--frost); border-radius: .5rem }
.paused { border-color: var(--line); border-radius: .5rem }
.open { border: 2px dashed var(--accent) }
.missed .sign { stroke-width: 3 }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; color: var(--quiet); font-size: .8125rem }
.legend li { display: flex; align-items: center; gap: .4rem }
.legend .day { inline-size: 1.25rem; font-size: .7rem }
.weeks { display: flex; gap: .5rem; margin-block: 1.1rem .6rem }

.boardhead { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .75rem 1.5rem }
.switch { display: flex; gap: .25rem; padding: .25rem; border: 1px solid var(--line); border-radius: 2rem }
.switch button { border: 0; padding-inline: .9rem; min-block-size: 2.25rem }
.switch [aria-pressed=true] { background: var(--accent); color: var(--on-accent) }
.board { inline-size: 100%; margin-block-start: 1rem; border-collapse: collapse }
.board th { padding: .4rem .5rem; color: var(--quiet); font-size: .8125rem; font-weight: 400; text-align: start }
.board td { padding: .6rem .5rem; border-block-start: 1px solid var(--line); overflow-wrap: anywhere }
.board tr > :first-child { inline-size: 3.25rem; text-align: center; padding-inline: 0 }
.board tr > :last-child { text-align: end; white-space: nowrap }
.board td:last-child { font-weight: 650 }
.medal { display: inline-grid; place-items: center; inline-size: 2rem; block-size: 2rem; border-radius: 50%; border: 2px solid; font-weight: 700; color: #2b2208; background: #f3cd5a; border-color: #b98a12 }
.medal2 { color: #24282b; background: #d9dee1; border-color: #8b959b }
.medal3 { color: #301a08; background: #e0a878; border-color: #9c5f2b }
.mine td { background: color-mix(in srgb, var(--accent) 12%, transparent) }
.mine td:first-child { box-shadow: inset .25rem 0 var(--accent) }
.mine:dir(rtl) td:first-child { box-shadow: inset -.25rem 0 var(--accent) }
.tag { margin-inline-start: .4rem; padding: .05rem .5rem; border-radius: 1rem; background: var(--accent); color: var(--on-accent); font-size: .75rem; font-weight: 650 }
.foot { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .5rem 1rem; margin-block-start: .9rem }

.message { display: grid; gap: .5rem; justify-items: start }
.old { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem 1rem; padding: .5rem .5rem .5rem 1.1rem; border: 1px solid var(--flame); border-radius: var(--radius); margin-block-end: 1rem }
.ghost { border-radius: .5rem; background: var(--line); min-block-size: 1rem }
.ghost.icon, .ghost.ring { border-radius: 50%; box-shadow: none }

@container (min-width: 44rem) {
  .top:has(slot.filled) { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr) }
  .hero { flex-wrap: nowrap; padding-inline-start: 2.25rem }
  .ring { inline-size: 10.5rem; block-size: 10.5rem; margin: 0 }
}
::slotted(*) { block-size: 100% }
@media (prefers-reduced-motion: no-preference) {
  .ghost { animation: breathe 1.6s ease-in-out infinite alternate }
  .fresh { animation: pop .7s cubic-bezier(.2, 1.6, .4, 1) }
  .toast { animation: rise .35s ease-out }
}
@keyframes breathe { to { opacity: .45 } }
@keyframes pop { from { transform: scale(.6); opacity: 0 } }
@keyframes rise { from { transform: translateY(1rem); opacity: 0 } }
@media (forced-colors: active) {
  .bar { border: 1px solid }
  .bar div { background: Highlight; forced-color-adjust: none }
  .ring .arc { stroke: Highlight }
  .credited, .switch [aria-pressed=true], .tag { border: 2px solid Highlight; color: HighlightText; background: Highlight; forced-color-adjust: none }
  .mine td { border-block: 2px solid Highlight }
}

.toasts { position: fixed; z-index: 2147483000; inset-block-end: 1rem; inset-inline-end: 1rem; display: flex; flex-direction: column; gap: .75rem; inline-size: min(23rem, 100vw - 2rem); max-block-size: calc(100dvh - 2rem); overflow: auto }
.toast { display: flex; align-items: center; gap: .9rem; padding: .9rem .5rem .9rem 1rem; background: var(--ground); border: 1px solid var(--line); border-inline-start: .3rem solid var(--accent); border-radius: var(--radius); box-shadow: 0 .5rem 2rem rgb(0 0 0 / .18) }
.toast > div { flex: 1; min-inline-size: 0; overflow-wrap: anywhere }
.toast .icon .sign { fill: var(--flame); stroke: none }
.toast button { flex: none; border: 0; padding: 0; inline-size: 2.75rem }
`);

/* ---- what all elements have in common ---- */

class LaurelsElement extends HTMLElement {
  static observedAttributes = ["src", "lang", "texts", "heading", "theme"];

  constructor() {
    super();
    this.attachShadow({mode: "open"}).adoptedStyleSheets = [STYLE];
    this.live = h("div", {class: "hidden", role: "status"});
    this.body = h("div", {part: "body"});
    this.shadowRoot.append(this.live, this.body);
  }

  connectedCallback() {
    this.join();
  }

  disconnectedCallback() {
    this.resource?.leave(this);
    this.stream?.leave(this);
    this.resource = this.stream = null;
  }

  attributeChangedCallback() {
    if (!this.isConnected || this.queued) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      if (this.isConnected) this.join();
    });
  }

  /* The address of Laurels, without a slash at its end. */
  get base() {
    const src = this.getAttribute("src");
    return src ? new URL(src, document.baseURI).href.replace(/\/+$/, "") : HOME;
  }

  /* Reads what the attributes say now. */
  join() {
    const base = this.base;
    const url = this.path && `${base}${this.path}`;
    if (this.stream?.base !== base) {
      this.stream?.leave(this);
      this.stream = streamOf(base);
      this.stream.join(this);
    }
    if (url && this.resource?.url !== url) {
      this.resource?.leave(this);
      this.resource = Resource.join(url, base, this);
    }
    this.speak();
    this.paint();
  }

  /* The language: the element's own, else that of the nearest ancestor, also outside of the shadow it stands in. */
  speak() {
    let tag = "";
    for (let node = this; node && !tag; node = node.getRootNode().host) tag = node.closest("[lang]")?.lang ?? "";
    try {
      this.locale = Intl.getCanonicalLocales(tag || "en")[0] ?? "en";
    } catch {
      this.locale = "en";
    }
    let own = {};
    try {
      own = JSON.parse(this.getAttribute("texts") || "{}");
    } catch {
      console.warn("Laurels: the attribute 'texts' is no JSON object", this);
    }
    this.texts = {...TEXTS.en, ...TEXTS[this.locale.split("-")[0]], ...own};
    this.plurals = new Intl.PluralRules(this.locale);
    this.numbers = new Intl.NumberFormat(this.locale, {maximumFractionDigits: 2});
  }

  /* A text with its values; `n` chooses the plural. Numbers are written as the language does. */
  t(key, values = {}) {
    const text = this.texts[key] ?? key;
    const form = typeof text === "string" ? text : (text[this.plurals.select(values.n)] ?? text.other);
    return form.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? this.numbers.format(values[name]) : values[name]));
  }

  date(value, options) {
    return new Intl.DateTimeFormat(this.locale, options).format(value);
  }

  h(below, attributes, ...children) {
    const level = Math.min(6, (Number(this.getAttribute("heading")) || 2) + below);
    return h(`h${level}`, attributes, ...children);
  }

  told() {
    this.paint();
  }

  paint() {
    const focused = this.shadowRoot.activeElement?.id;
    this.body.replaceChildren(...[this.view()].flat().filter(Boolean));
    if (focused) this.shadowRoot.getElementById(focused)?.focus();
  }

  say(text) {
    if (this.live.textContent !== text) this.live.textContent = text;
  }

  view() {
    const {data, problem, asking} = this.resource;
    this.body.setAttribute("aria-busy", String(!data && !problem));
    if (problem?.status === 401) return this.signedOut();
    if (!data && !problem) return this.say(this.t("loading")), this.skeleton();
    if (!data) return this.failed(problem);
    const old = problem && this.t("old", {at: this.date(this.resource.at, {timeStyle: "short"})});
    this.say(old ?? "");
    return [old && h("div", {class: "old", part: "old"}, h("p", {}, old), this.tryAgain()), this.content(data)].flat();
  }

  tryAgain() {
    return h("button", {type: "button", id: "again", part: "button", onclick: () => this.resource.load({visit: true})}, this.t("again"));
  }

  signedOut() {
    this.say("");
    return h("div", {class: "card message", part: "card signed-out"}, this.h(0, {class: "heading"}, this.t("out")),
      h("p", {class: "quiet"}, this.t("outText")), h("slot", {name: "signed-out"}));
  }

  failed({status, says}) {
    const why = status === 0 ? this.t("offline") : status === 404 ? this.t("unknown") : this.t("answered", {says});
    this.say(`${this.t("failed")}. ${why}`);
    return h("div", {class: "card message", part: "card error"}, this.h(0, {class: "heading"}, this.t("failed")),
      h("p", {class: "quiet"}, why), this.tryAgain());
  }

  bar(share, {label, text, thin}) {
    const fill = h("div");
    fill.style.setProperty("--share", `${Math.max(0, Math.min(100, share))}%`);
    return h("div", {class: thin ? "bar thin" : "bar", part: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0,
      "aria-valuemax": 100, "aria-valuenow": Math.round(share), "aria-valuetext": text}, fill);
  }
}

/* The profile and the streak read one and the same answer. */
const PROFILE = "/api/gamification/profile?include=next,toward,streaks,rank&days=35";
const ghost = (size, name = "") => {
  const one = h("div", {class: `ghost ${name}`});
  if (size) one.style.setProperty("inline-size", size);
  return one;
};

/* ---- <laurels-profile> ---- */

class LaurelsProfile extends LaurelsElement {
  path = PROFILE;

  skeleton() {
    const badge = () => h("li", {class: "badge"}, ghost("", "icon"), h("div", {class: "stack"}, ghost("60%"), ghost("90%")));
    return h("div", {class: "stack", "aria-hidden": "true"},
      this.beside(h("div", {class: "card hero"}, ghost("", "ring"), h("div", {class: "about"}, ghost("30%"), ghost("60%"), ghost("100%"), ghost("70%")))),
      h("div", {class: "card"}, ghost("40%"), h("ul", {class: "badges"}, Array.from({length: 6}, badge))));
  }

  /* The level, and beside it what the page put into the element. */
  beside(card) {
    const slot = h("slot");
    const mark = () => slot.classList.toggle("filled", slot.assignedElements().length > 0);
    slot.addEventListener("slotchange", mark);
    slot.classList.toggle("filled", this.querySelector(":scope > :not([slot])") !== null);
    return h("div", {class: "top"}, card, slot);
  }

  content(data) {
    const before = this.shown;
    this.shown = data;
    const fresh = before && before !== data ? new Set(before.badges.map((badge) => badge.id)) : null;
    const isNew = (badge) => (fresh ? !fresh.has(badge.id) : badge.id === data.badgeAwarded && before !== data);
    return h("div", {class: "stack"}, this.beside(this.level(data, before)), this.first(data),
      data.badges.length > 0 && h("section", {class: "card", part: "card earned"},
        this.h(1, {class: "heading"}, this.t("earned"), h("span", {class: "quiet small num"}, this.t("share", {n: data.badges.length, of: data.badges.length + data.availableBadges.length}))),
        h("ul", {class: "badges"}, data.badges.map((badge) => this.badge(badge, isNew(badge))))),
      h("section", {class: "card", part: "card coming"}, this.h(1, {class: "heading"}, this.t("toCome")), this.coming(data)));
  }

  level(data, before) {
    const top = data.points >= data.nextLevel;
    const next = {n: data.nextLevel - data.points, level: data.level + 1};
    const said = this.t("ofPoints", {n: data.points, of: data.nextLevel});
    return h("section", {class: "card hero", part: "card level"}, this.ring(data, before),
      h("div", {class: "about"}, h("p", {class: "eyebrow"}, this.t("level", {n: data.level})), this.h(0, {class: "title", part: "title"}, data.title),
        this.bar(data.progress, {label: top ? this.t("top") : this.t("progress", next), text: said}),
        h("p", {class: "small quiet num"}, top ? this.t("top") : this.t("toNext", next)),
        h("dl", {class: "facts"},
          h("div", {}, h("dt", {}, this.t("rank")), h("dd", {class: "num"}, data.rank.rank ? this.t("rankOf", {n: data.rank.rank, of: data.rank.rankedUsers}) : this.t("noRank"))),
          h("div", {}, h("dt", {}, this.t("badges")), h("dd", {class: "num"}, this.t("rankOf", {n: data.badges.length, of: data.badges.length + data.availableBadges.length}))))));
  }

  ring(data, before) {
    const round = 2 * Math.PI * 52;
    const rest = (progress) => round * (1 - Math.max(0, Math.min(100, progress)) / 100);
    const arc = s("circle", {class: "arc", cx: 60, cy: 60, r: 52, "stroke-dasharray": round, "stroke-dashoffset": rest(data.progress)});
    if (data.progress === 0) arc.setAttribute("visibility", "hidden");
    const moves = before !== data && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (moves) requestAnimationFrame(() => arc.animate?.([{strokeDashoffset: rest(before && before.level === data.level ? before.progress : 0)}, {strokeDashoffset: rest(data.progress)}], {duration: 900, easing: "cubic-bezier(.3, 0, .1, 1)"}));
    return h("div", {class: "ring", part: "ring"}, s("svg", {viewBox: "0 0 120 120", "aria-hidden": "true"}, s("circle", {cx: 60, cy: 60, r: 52}), arc),
      h("div", {}, h("b", {class: "num", part: "points"}, this.numbers.format(data.points)), h("span", {class: "small quiet"}, this.t("pointsWord", {n: data.points}))));
  }

  /* What somebody new sees: the badge that the server finds nearest. */
  first(data) {
    const [next] = data.next;
    const badge = data.badges.length === 0 && next && data.availableBadges.find((one) => one.id === next.id);
    return badge && h("section", {class: "card first", part: "card first"}, this.h(1, {class: "heading"}, this.t("firstStep")),
      h("p", {class: "quiet"}, this.t("firstText")), h("ul", {class: "badges"}, this.badge(badge)));
  }

  badge(badge, fresh, toward) {
    const counts = toward && toward.target > 1;
    const values = toward && {n: toward.current, of: toward.target};
    return h("li", {class: `badge ${toward === undefined ? "" : "coming"} ${fresh ? "fresh" : ""}`, part: toward === undefined ? "badge" : "badge badge-coming"},
      h("div", {class: "icon", part: "icon", "aria-hidden": "true"}, h("span", {}, badge.icon)),
      h("div", {}, h("div", {class: "row"}, h("span", {class: "name"}, badge.name), h("span", {class: "small quiet num"}, hidden(this.t("points", {n: badge.points})), h("span", {"aria-hidden": "true"}, this.t("plus", {n: badge.points})))),
        h("div", {class: "row small quiet"}, h("span", {}, toward === undefined ? badge.description : badge.condition), counts && h("span", {class: "num"}, this.t("share", values))),
        counts && this.bar((100 * toward.current) / toward.target, {label: badge.name, text: this.t("share", values), thin: true})));
  }

  coming(data) {
    if (!data.availableBadges.length) return h("p", {class: "quiet"}, this.t("all"));
    const toward = new Map(data.toward.map((one) => [one.id, one]));
    return h("ul", {class: "badges"}, data.availableBadges.map((badge) => this.badge(badge, false, toward.get(badge.id) ?? null)));
  }
}

/* ---- <laurels-streak> ---- */

const DAY = 86400000;
const dayOf = (text) => Date.parse(`${text}T00:00:00Z`);

class LaurelsStreak extends LaurelsElement {
  static observedAttributes = [...LaurelsElement.observedAttributes, "streak"];
  path = PROFILE;

  skeleton() {
    return h("div", {class: "card stack", "aria-hidden": "true"}, ghost("50%"), ghost("80%"), Array.from({length: 6}, () => ghost("100%")));
  }

  content(data) {
    const wanted = this.getAttribute("streak");
    const streak = wanted ? data.streaks.find((one) => one.name === wanted) : data.streaks[0];
    if (!streak) return this.failed({status: 404});
    const weekly = streak.unit === "week";
    const amount = (n) => this.t(weekly ? "nWeeks" : "nDays", {n});
    const facts = [["longest", amount(streak.longest)], ["total", amount(streak.totalDays)], streak.freezes > 0 && ["freezes", this.numbers.format(streak.freezes)]];
    return h("section", {class: `card ${streak.length ? "" : "cold"}`, part: "card streak"},
      h("div", {class: "head"}, sign(FLAME, "flame"),
        h("div", {}, this.h(0, {class: "count"}, hidden(`${this.t("streak")}: `), h("b", {class: "num", part: "length"}, this.numbers.format(streak.length)), " ", this.t(weekly ? "weeks" : "days", {n: streak.length})),
          h("p", {class: "small quiet", part: "status"}, this.status(streak)))),
      weekly ? this.weeks(streak) : this.calendar(streak),
      h("dl", {class: "facts"}, facts.filter(Boolean).map(([key, value]) => h("div", {}, h("dt", {}, this.t(key)), h("dd", {class: "num"}, value)))));
  }

  status(streak) {
    const key = streak.status === "active" && streak.unit === "week" ? "activeWeek" : streak.status;
    return this.t(key, {until: streak.endsAtLocal ? this.until(streak) : ""});
  }

  /* When it ends on the user's own clock: the wall's time is read as it stands there, without its offset. */
  until(streak) {
    const wall = new Date(`${streak.endsAtLocal.slice(0, 19)}Z`);
    const newest = streak.days[0] && dayOf(streak.days[0].day);
    const options = {timeZone: "UTC", weekday: "long", hour: "numeric", minute: "2-digit"};
    return wall.getTime() === newest + DAY ? this.t("midnight") : this.date(wall, options);
  }

  mark(why, text) {
    return [h("span", {class: `day ${why}`, part: `day day-${why}`, title: text}, SIGNS[why] ? sign(SIGNS[why]) : ""), text && hidden(text)];
  }

  /* Five rows of weeks, the last one with today. */
  calendar(streak) {
    const whys = new Map(streak.days.map((one) => [dayOf(one.day), one.why]));
    const now = streak.days.length ? dayOf(streak.days[0].day) : Math.floor(Date.now() / DAY) * DAY;
    if (!whys.size) whys.set(now, "open");
    const locale = new Intl.Locale(this.locale);
    const first = (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
    const start = now - ((new Date(now).getUTCDay() - first + 7) % 7) * DAY - 28 * DAY;
    const name = (time, weekday) => this.date(time, {timeZone: "UTC", weekday});
    const cell = (time) => {
      const why = whys.get(time);
      if (!why) return h("td");
      const day = this.date(time, {timeZone: "UTC", weekday: "long", day: "numeric", month: "long"});
      return h("td", {}, this.mark(why, this.t("dayIs", {day: time === now ? `${day}, ${this.t("today")}` : day, why: this.t(`why.${why}`)})));
    };
    const week = [0, 1, 2, 3, 4, 5, 6];
    return [h("table", {class: "calendar", part: "calendar"}, h("caption", {class: "hidden"}, this.t("calendar")),
      h("thead", {}, h("tr", {}, week.map((day) => h("th", {scope: "col"}, h("span", {"aria-hidden": "true"}, name(start + day * DAY, "narrow")), hidden(name(start + day * DAY, "long")))))),
      h("tbody", {}, [0, 1, 2, 3, 4].map((row) => h("tr", {}, week.map((day) => cell(start + (row * 7 + day) * DAY)))))),
    this.legend([...whys].filter(([time]) => time >= start).map(([, why]) => why))];
  }

  weeks(streak) {
    const shown = streak.days.slice(0, 5).reverse();
    const text = (one) => this.t("dayIs", {day: this.t("weekOf", {day: this.date(dayOf(one.day), {timeZone: "UTC", day: "numeric", month: "long"})}), why: this.t(`why.${one.why}`)});
    return [h("ul", {class: "weeks", "aria-label": this.t("calendar")}, shown.map((one) => h("li", {}, this.mark(one.why, text(one))))), this.legend(shown.map((one) => one.why))];
  }

  legend(whys) {
    const shown = Object.keys(SIGNS).filter((why) => whys.includes(why));
    return h("ul", {class: "legend", "aria-hidden": "true"}, shown.map((why) => h("li", {}, this.mark(why), this.t(`why.${why}`))));
  }
}

/* ---- <laurels-leaderboard> ---- */

class LaurelsLeaderboard extends LaurelsElement {
  static observedAttributes = [...LaurelsElement.observedAttributes, "board", "period", "limit", "brief"];
  pages = [];

  get period() {
    return this.chosen ?? this.getAttribute("period") ?? "current";
  }

  get path() {
    const board = encodeURIComponent(this.getAttribute("board") || "points");
    const query = new URLSearchParams({period: this.period, limit: this.getAttribute("limit") || "10"});
    return `/api/gamification/leaderboards/${board}?${query}`;
  }

  attributeChangedCallback(name) {
    if (name === "period" || name === "board") this.chosen = null;
    super.attributeChangedCallback();
  }

  join() {
    const url = this.resource?.url;
    super.join();
    if (this.resource.url !== url) this.choose([]);
  }

  choose(pages) {
    this.pages = pages;
    this.paint();
  }

  /* When the first page is new, so must be the ones that were shown behind it. */
  async told() {
    const pages = this.pages.length;
    if (pages && this.resource.data && !this.resource.problem) await this.follow(pages);
    else this.paint();
  }

  /* Reads so many pages behind the first, and shows them at once. */
  async follow(count) {
    const {url, data} = this.resource;
    const pages = [];
    for (let last = data; pages.length < count && last.next; last = pages.at(-1)) {
      const {data: page} = await read(`${url}&after=${encodeURIComponent(last.next)}`);
      if (!page) break;
      pages.push(page);
    }
    if (this.resource?.url === url && this.resource.data === data) this.choose(pages);
  }

  skeleton() {
    const lines = Math.min(10, Number(this.getAttribute("limit")) || 10);
    return h("div", {class: "card stack", "aria-hidden": "true"}, ghost("40%"), Array.from({length: lines}, () => ghost("100%")));
  }

  failed(problem) {
    return this.period === "previous" && problem.status === 404 ? h("div", {class: "card message", part: "card"}, this.switch(), h("p", {class: "quiet"}, this.t("noBefore"))) : super.failed(problem);
  }

  content(data) {
    const {board, me} = data;
    const lines = data.teams ?? [data, ...this.pages].flatMap((page) => page.standings);
    const on = me && lines.some((line) => line.userId === me.userId);
    const last = this.pages.at(-1) ?? data;
    const brief = this.hasAttribute("brief");
    return h("section", {class: "card", part: "card board"},
      h("div", {class: "boardhead"}, h("div", {}, this.h(0, {class: "heading", id: "name", tabindex: -1, part: "title"}, board.name), h("p", {class: "small quiet"}, this.span(data))), board.period !== "all" && !brief && this.switch()),
      lines.length === 0 ? h("p", {class: "quiet foot"}, this.t("noLines")) : h("table", {class: "board", part: "table"},
        h("caption", {class: "hidden"}, board.name),
        h("thead", {}, h("tr", {}, ["place", data.teams ? "team" : "name", "score"].map((key) => h("th", {scope: "col"}, key === "score" && board.by === "points" ? this.points() : this.t(key))))),
        h("tbody", {}, lines.map((line) => this.line(line, data.teams ? line.mine : line.userId === me?.userId))),
        me && !on && h("tbody", {}, h("tr", {class: "hidden"}, h("th", {scope: "rowgroup", colspan: 3}, this.t("yourLine"))), this.line(me, true))),
      !data.teams && !me && lines.length > 0 && !brief && h("p", {class: "small quiet foot"}, this.t("notRanked")),
      !brief && lines.length > 0 && h("div", {class: "foot"}, h("p", {class: "small quiet num"}, this.t("ranked", {n: data.rankedUsers})),
        last.next && h("button", {type: "button", id: "more", part: "button", onclick: () => this.more()}, this.t("more"))));
  }

  points() {
    const word = this.t("pointsWord", {n: 2});
    return word.charAt(0).toLocaleUpperCase(this.locale) + word.slice(1);
  }

  async more() {
    await this.follow(this.pages.length + 1);
    // The button goes with the last page; whoever pressed it stays at the board.
    if (!this.shadowRoot.activeElement) this.shadowRoot.getElementById("name")?.focus();
  }

  line(line, mine) {
    const medal = line.rank <= 3;
    return h("tr", {class: mine ? "mine" : null, part: mine ? "line line-mine" : "line", "aria-current": mine && "true"},
      h("td", {}, medal ? h("span", {class: `medal medal${line.rank}`, part: "medal", title: this.t(`medal.${line.rank}`)}, this.numbers.format(line.rank)) : h("span", {class: "num"}, this.numbers.format(line.rank)), medal && hidden(`, ${this.t(`medal.${line.rank}`)}`)),
      h("td", {}, h("bdi", {class: "name"}, line.team ?? line.name), mine && h("span", {class: "tag"}, this.t(line.team ? "yourTeam" : "you")), line.title && h("div", {class: "small quiet"}, line.title)),
      h("td", {class: "num"}, this.numbers.format(line.score)));
  }

  switch() {
    return h("div", {class: "switch", role: "group", "aria-label": this.t("period")}, ["current", "previous"].map((period) =>
      h("button", {type: "button", id: period, part: "button", "aria-pressed": String(this.period === period), onclick: () => ((this.chosen = period), this.join())}, this.t(period))));
  }

  /* The period in words, with the last day that belongs to it. */
  span({board, period, computedAt}) {
    if (board.period === "all" || !period.start) return this.t("allTime");
    const start = new Date(period.start);
    if (!period.end) return this.date(start, {dateStyle: "long", timeZone: board.zone});
    const end = new Date(period.end);
    const format = new Intl.DateTimeFormat(this.locale, {day: "numeric", month: "long", year: "numeric", timeZone: board.zone});
    const span = format.formatRange(start, new Date(end - 1));
    const days = (end - new Date(computedAt)) / DAY;
    if (period.status !== "running") return span;
    const left = new Intl.RelativeTimeFormat(this.locale, {numeric: "always"});
    return `${span}, ${this.t("endsIn", {in: days >= 1 ? left.format(Math.floor(days), "day") : left.format(Math.max(1, Math.floor(days * 24)), "hour")})}`;
  }
}

/* ---- <laurels-toast> ---- */

const MOST_TOASTS = 3;

class LaurelsToast extends LaurelsElement {
  waiting = [];

  constructor() {
    super();
    this.list = h("div", {class: "toasts", part: "toasts"});
    this.live.setAttribute("aria-live", "polite");
    this.body.append(this.list);
    this.list.addEventListener("keydown", (event) => event.key === "Escape" && this.drop(event.target.closest(".toast")));
  }

  connectedCallback() {
    super.connectedCallback();
    this.stream.open();
  }

  paint() {}

  happened(moment) {
    const said = this.words(moment);
    if (said) this.show(said);
  }

  /* What a moment says, or nothing for one that is none to celebrate. */
  words({type, data = {}, ...more}) {
    const of = {...data, ...more};
    const badge = typeof of.badge === "object" && of.badge ? of.badge : of;
    const name = badge.name ?? badge.badge;
    const rank = of.rank && this.t("toast.climbed", {n: of.rank});
    if (type === "badge.earned") return {icon: badge.icon, title: this.t("toast.badge"), text: [name, badge.points > 0 && this.t("points", {n: badge.points})].filter(Boolean).join(" · ")};
    if (type === "level.reached") return {icon: String(of.level), title: this.t("toast.level", {n: of.level}), text: of.title ?? ""};
    if (type === "streak.extended") return {flame: true, title: this.t(of.length > 1 ? "toast.streak" : "toast.begun"), text: `${this.numbers.format(of.length)} ${this.t("days", {n: of.length})}`};
    if (type === "leaderboard.closed" && rank) return {icon: String(of.rank), title: rank, text: this.t("toast.closedText")};
    if (type.startsWith("leaderboard.") && rank) return {icon: String(of.rank), title: rank, text: this.t("toast.climbedText")};
    return null;
  }

  /* Shows {icon, title, text}; what finds no room waits its turn. */
  show(said) {
    if (this.list.childElementCount >= MOST_TOASTS) return void this.waiting.push(said);
    const toast = h("div", {class: "toast", part: "toast"}, h("div", {class: "icon", "aria-hidden": "true"}, said.flame ? sign(FLAME) : said.icon ?? ""),
      h("div", {}, h("p", {class: "name"}, said.title), h("p", {class: "small"}, said.text)),
      h("button", {type: "button", "aria-label": `${this.t("dismiss")}: ${said.title}`, onclick: () => this.drop(toast)}, sign("M4 4l8 8M12 4l-8 8")));
    this.list.append(toast);
    // Read by the live region, not by the toast: buttons are no news.
    this.live.append(h("p", {}, `${said.title}: ${said.text}`));
    this.time(toast, 5000 + 60 * `${said.title}${said.text}`.length);
  }

  /* Goes after a while in which nobody points at it, stands on it, or looks elsewhere. */
  time(toast, left) {
    const tick = 250;
    toast.timer = setInterval(() => {
      if (document.hidden || this.list.matches(":hover") || this.list.contains(this.shadowRoot.activeElement)) return;
      left -= tick;
      if (left <= 0) this.drop(toast);
    }, tick);
  }

  drop(toast) {
    if (!toast?.isConnected) return;
    clearInterval(toast.timer);
    const next = toast.contains(this.shadowRoot.activeElement) && (toast.nextElementSibling ?? toast.previousElementSibling);
    toast.remove();
    this.live.firstChild?.remove();
    if (next) next.querySelector("button").focus();
    if (this.waiting.length) this.show(this.waiting.shift());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const toast of this.list.children) clearInterval(toast.timer);
    this.list.replaceChildren();
    this.live.replaceChildren();
    this.waiting = [];
  }
}

for (const [name, type] of [["profile", LaurelsProfile], ["streak", LaurelsStreak], ["leaderboard", LaurelsLeaderboard], ["toast", LaurelsToast]])
  if (!customElements.get(`laurels-${name}`)) customElements.define(`laurels-${name}`, type);
