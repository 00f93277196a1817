/* Custom elements that show what Laurels answers and decide nothing; see docs/widgets.md. */

/* Every visible text; those with a number have one form per plural. */
const TEXTS = {
en:{
point:{one:"point",other:"points"},day:{one:"day",other:"days"},week:{one:"week",other:"weeks"},month:{one:"month",other:"months"},
level:"Level {n}",toNext:"{n} to level {of}",top:"Top level reached!",
rank:"Rank",of:"{n} of {of}",badges:"Badges",balance:"To spend",earned:"Badges earned",coming:"Next badges",
all:"You've earned every badge!",first:"Your first step",
streak:"Streak",row:"in a row",longest:"Longest",total:"Total",freezes:"Freezes",goal:"Days",
is_active:"All done! Come back by {n}.",is_at_risk:"Not done yet: you have until {n}.",
is_frozen:"Protected by a freeze until {n}.",is_paused:"Paused.",
is_ended:"Start a new streak today.",is_none:"Start your streak today.",
calendar:"Last 5 weeks",months:"Last 5 months",credited:"done",frozen:"freeze used",
excused:"excused",paused:"paused",missed:"missed",open:"to do",
name:"Name",score:"Score",you:"You",yours:"Your rank",ranked:"{n} ranked",onlyYou:"Only you see this",
team:{one:"team",other:"teams"},yourTeam:"Your team",
unranked:"You're not ranked yet. Join in!",recomputing:"Being recomputed",
empty:"No one here yet. Be the first!",
current:"Current",previous:"Previous",more:"Show more",
loading:"Loading",out:"You're signed out",outText:"Sign in to see your progress.",
failed:"Can't load this right now",offline:"Can't reach the server.",
unknown:"Not found.",answered:"The server replied: {n}",
old:"Last updated {n}. Couldn't refresh.",again:"Try again",dismiss:"Dismiss",
toastBadge:"Badge earned",toastAgain:"Earned again",toastLevel:"Level {n} reached",toastStreak:"Streak extended",toastRank:"You're now #{n}",toastFinal:"You finished #{n}",news:"Notifications"
},
de:{
point:{one:"Punkt",other:"Punkte"},day:{one:"Tag",other:"Tage"},week:{one:"Woche",other:"Wochen"},month:{one:"Monat",other:"Monate"},
level:"Level {n}",toNext:"noch {n} bis Level {of}",top:"Höchstes Level erreicht!",
rank:"Rang",of:"{n} von {of}",badges:"Abzeichen",balance:"Zum Ausgeben",earned:"Verdiente Abzeichen",coming:"Nächste Abzeichen",
all:"Du hast alle Abzeichen!",first:"Dein erster Schritt",
streak:"Serie",row:"in Folge",longest:"Längste",total:"Gesamt",freezes:"Joker",goal:"Tage",
is_active:"Geschafft! Komm bis {n} wieder.",is_at_risk:"Noch offen: Du hast Zeit bis {n}.",
is_frozen:"Ein Joker schützt sie bis {n}.",is_paused:"Pausiert.",
is_ended:"Starte heute eine neue Serie.",is_none:"Starte heute deine Serie.",
calendar:"Die letzten 5 Wochen",months:"Die letzten 5 Monate",credited:"erledigt",frozen:"Joker eingesetzt",
excused:"entschuldigt",paused:"pausiert",missed:"verpasst",open:"offen",
name:"Name",score:"Ergebnis",you:"Du",yours:"Dein Rang",ranked:"{n} in der Wertung",onlyYou:"Nur du siehst das",
team:{one:"Team",other:"Teams"},yourTeam:"Dein Team",
unranked:"Du bist noch nicht dabei. Mach mit!",recomputing:"Wird neu berechnet",
empty:"Noch niemand hier. Mach den Anfang!",
current:"Aktuell",previous:"Zuletzt",more:"Mehr anzeigen",
loading:"Lädt",out:"Du bist abgemeldet",outText:"Melde dich an, um deinen Stand zu sehen.",
failed:"Das lässt sich gerade nicht laden",offline:"Der Server ist nicht erreichbar.",
unknown:"Nicht gefunden.",answered:"Antwort des Servers: {n}",
old:"Stand: {n}. Nicht aktualisiert.",again:"Erneut versuchen",dismiss:"Schließen",
toastBadge:"Abzeichen verdient",toastAgain:"Erneut verdient",toastLevel:"Level {n} erreicht",toastStreak:"Serie verlängert",toastRank:"Du bist jetzt auf Platz {n}",toastFinal:"Du hast Platz {n} erreicht",news:"Mitteilungen"
}
};

/* h("p.note", {id: "x"}, "text", [nodes], false): a node, made without markup. Classes are parts, too. */
function h(selector, ...rest) {
	const [name, ...classes] = selector.split(".");
	const node = document.createElementNS(`http://www.w3.org/${/^(svg|path|circle)$/.test(name) ? "2000/svg" : "1999/xhtml"}`, name);
	if (classes[0]) node.setAttribute("class", (node.part = classes.join(" ")));
	for (const one of rest.flat(9)) {
		if (one?.constructor === Object) for (const key in one) one[key] != null && node.setAttribute(key, one[key]);
		else if (typeof one === "function") node.addEventListener("click", one);
		else if (one) node.append(one);
	}
	return node;
}

const DECORATIVE = {"aria-hidden": "true"};
const FLAME = "M8.3.8c.5 2.6 3.9 4.3 3.9 8.2a4.2 4.2 0 0 1-8.4 0c0-1.7.8-2.9 1.7-3.8.1 1.2.6 1.8 1.2 2.1-.3-2.4 0-4.9 1.6-6.5z";
const SIGNS = {
	credited: "M4 8.5 7 11l5-5.5", frozen: "M8 2.5v11M3 5l10 6M13 5 3 11", excused: "M5 8h6", paused: "M6 5v6M10 5v6",
	missed: "M8 7.5v1", open: ""
};
const hidden = (text) => h("span.hidden", text);
const sign = (d, name = "sign") => h(`svg.${name}`, {viewBox: "0 0 16 16", ...DECORATIVE}, h("path", {d}));
const API = "/api/gamification/";
const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, {detail}));

/* Only a visit counts as the day's login; other reads are previews. */
async function read(url, visit, lang) {
	try {
		const headers = {...(!visit && {"X-Purpose": "preview"}), ...(lang && {"Accept-Language": lang})};
		const answer = await fetch(url, {credentials: "include", headers, signal: AbortSignal.timeout(2e4)});
		const data = await answer.json().catch(() => null);
		return answer.ok && data ? {data} : {problem: {status: answer.status, reason: data?.title ?? `${answer.status}`}};
	} catch {
		return {problem: {status: 0}};
	}
}

/* One URL, read once for all elements. */
class Resource {
	constructor(url, source) {
		Object.assign(this, {url, source});
	}

	get readers() {
		return [...this.source.readers].filter(({resource}) => resource === this);
	}

	/* When asked while loading, loads once more: the pending response may be outdated. */
	async load(visit) {
		if (this.loading) return void (this.again = visit || !!this.again);
		this.loading = true;
		this.again = null;
		await this.source.visit; // leaderboards include the points it earns
		const {data, problem} = await read(this.url, visit || !this.data, this.source.lang);
		this.loading = false;
		this.problem = problem;
		if (data) Object.assign(this, {data, at: new Date()});
		if (/40[14]/.test(problem?.status)) this.data = null;
		for (const reader of this.readers) reader.paint();
		if (data) this.source.open();
		else if (!/40./.test(problem.status)) this.source.retry();
		if (data?.availableBadges) emit("laurels-profile", data);
		if (this.again != null) this.load(this.again);
	}
}

/* One server in one language: its resources and its stream. */
class Source {
	static all = {};
	readers = new Set();
	resources = {};

	constructor(base, lang) {
		Object.assign(this, {base, lang});
	}

	join(reader, path) {
		this.readers.add(reader);
		if (!path) return Object.keys(this.resources)[0] || this.open();
		const one = (this.resources[path] ??= new Resource(this.base + path, this));
		if (!one.data && !one.loading) {
			const read = one.load(true);
			if (path === PROFILE) this.visit = read;
		}
		return one;
	}

	/* Deferred: an element that is moved leaves and joins again at once. */
	leave(reader) {
		this.readers.delete(reader);
		queueMicrotask(() => {
			if (this.readers.size) return;
			this.close();
			this.resources = {};
		});
	}

	/* The browser reconnects a dropped stream; a refused one is retried here. */
	open() {
		if (this.stream || this.retrying || !this.readers.size) return;
		this.stream = new EventSource(`${this.base}${API}stream${this.lang && `?lang=${this.lang}`}`, {withCredentials: true});
		this.stream.onopen = () => (this.wait = 0);
		this.stream.onerror = ({target}) => target.readyState === 2 && this.retry(this.close());
		this.stream.addEventListener("notification", ({data}) => this.receive(JSON.parse(data)));
	}

	close() {
		this.stream?.close();
		this.stream = this.retrying = clearTimeout(this.retrying);
	}

	/* With growing, jittered delays, while the page is visible. */
	retry() {
		if (this.stream || this.retrying) return;
		this.wait = Math.min(2 * this.wait || 3e4, 3e5);
		this.retrying = setTimeout(() => (this.late = document.hidden) || this.refresh(), this.wait * (1 + Math.random() / 2));
	}

	receive(notification) {
		emit("laurels-notification", notification);
		for (const reader of [...this.readers]) reader.notified?.(notification);
		// Notifications come in groups.
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.refresh(), 150);
	}

	/* Drops resources that no element shows. */
	refresh(visit = false) {
		this.late = this.retrying = clearTimeout(this.retrying);
		if (!Object.keys(this.resources)[0]) this.open();
		for (const path in this.resources) this.resources[path].readers[0] ? this.resources[path].load(visit) : delete this.resources[path];
	}
}

const today = () => new Date().toDateString();
let seen = today();
document.addEventListener("visibilitychange", () => {
	if (document.hidden) return;
	const visit = seen !== today();
	for (const source of Object.values(Source.all)) if (visit || source.late) source.refresh(visit);
	seen = today();
});
addEventListener("laurels:refresh", () => Object.values(Source.all).forEach((source) => source.refresh()));

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host{
	--accent:var(--laurels-accent,light-dark(#1f6f4a,#7dd3a3));--on-accent:var(--laurels-on-accent,light-dark(#fff,#10241a));
	--ground:var(--laurels-ground,light-dark(#fffdf8,#1f1d19));--text:var(--laurels-text,light-dark(#27231b,#f2ede2));
	--quiet:var(--laurels-quiet,light-dark(#675f50,#b5ac9a));--line:var(--laurels-line,light-dark(#e4dccb,#37332b));
	--flame:var(--laurels-flame,light-dark(#c2500f,#ffa45c));--frost:var(--laurels-frost,light-dark(#2b6a94,#8ec9ee));
	--radius:var(--laurels-radius,1.25rem);--edge:1px solid var(--line);--tint:color-mix(in srgb,var(--accent) 13%,transparent);
	display:block;container-type:inline-size;color:var(--text);font:400 1rem/1.5 var(--laurels-font,inherit);text-align:start;
}
:host([theme=light]){color-scheme:light}
:host([theme=dark]){color-scheme:dark}
:host([hidden]){display:none}
*{box-sizing:border-box;margin:0;padding:0;font:inherit;list-style:none}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.card{padding:clamp(1.1rem,4cqi,1.75rem);border:var(--edge);border-radius:var(--radius);background:var(--ground)}
.stack,.badges,.message,.toasts{display:grid;gap:1.25rem 2rem}
.row,.hero,.head,.facts,.legend,.badge,.toast{display:flex;align-items:center;gap:.5rem 1rem}
.row,.hero,.facts,.legend{flex-wrap:wrap}
.row{justify-content:space-between}
.quiet,.note,.day,dt,th{color:var(--quiet);font-weight:400}
.note,.level,dt,th{font-size:.875rem}
.number{font-variant-numeric:tabular-nums;white-space:nowrap}
.name,.heading,.title,.what{overflow-wrap:anywhere}
.name,.heading,.level,.facts,.tag,.title,.points,.medal{font-weight:650}
.heading{font-size:1.125rem}
.level{color:var(--accent)}
.title{font-size:1.5rem;line-height:1.2}
.sign{width:1em;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round}
button,select{min-height:2.75rem;padding:.4rem 1.1rem;border:var(--edge);border-radius:2rem;background:none;color:inherit;cursor:pointer}
button:hover,select:hover{border-color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}

.hero{gap:1.25rem 2rem}
.ring{position:relative;flex:none;width:9.5rem;height:9.5rem;margin:auto;text-align:center;line-height:1.2}
.ring svg{transform:rotate(-90deg)}
circle{fill:none;stroke:var(--line);stroke-width:8}
.arc{stroke:var(--accent);stroke-linecap:round}
.ring div{position:absolute;inset:0;display:grid;place-content:center}
.points{font-size:1.75rem}
.about{flex:1 1 12rem;min-width:0}
.bar{height:.5rem;margin:.5rem 0;border-radius:1rem;background:var(--line);overflow:hidden}
.bar div{height:100%;width:var(--share);border-radius:inherit;background:var(--accent)}
.badge .bar{height:.25rem;margin:.3rem 0}
.facts{gap:.5rem 2rem;margin-top:1rem}

.badges{grid-template-columns:repeat(auto-fill,minmax(min(100%,16.5rem),1fr));margin-top:1.25rem}
.badge{align-items:start}
.what{flex:1;min-width:0}
.what .row{flex-wrap:nowrap;align-items:baseline}
.icon,.day,.medal{flex:none;display:inline-grid;place-items:center;width:2rem;height:2rem;border:2px solid transparent;border-radius:50%}
.icon{width:3rem;height:3rem;border-color:var(--accent);background:var(--tint);font-size:1.5rem;line-height:1}
.next .icon{border:2px dashed var(--line);background:none;filter:grayscale(1) opacity(.8)}
.first{border-color:var(--accent)}

.flame{flex:none;width:3.25rem;fill:var(--flame)}
.cold{fill:var(--line)}
.length{font-size:2.25rem;line-height:1}
table{width:100%;margin:1rem 0 .75rem;border-spacing:0}
.blank{background:var(--line);opacity:.3}
th{padding:.4rem .5rem;text-align:start}
th::first-letter,button::first-letter{text-transform:uppercase}
.calendar{max-width:22rem;table-layout:fixed}
.calendar *{padding:.15rem 0;text-align:center;vertical-align:middle}
.frozen,.paused{border-color:currentColor;border-radius:.6rem}
.frozen{color:var(--frost)}
.open{border:2px dashed var(--accent)}
.legend{gap:.25rem 1rem}
.legend .day{width:1.25rem;height:1.25rem;margin-inline-end:.4rem;font-size:.7rem}

.switch{width:fit-content;padding:.2rem;border:var(--edge);border-radius:2rem}
.switch button{border:0}
[aria-pressed=true],.tag,.credited{background:var(--accent);color:var(--on-accent)}
.line td{padding:.6rem .5rem;border-top:var(--edge)}
.table tr>:first-child{text-align:center}
.table tr>:last-child{text-align:end}
.table tr>:nth-child(2){width:100%}
.medal{border-color:#b98a12;background:#f3cd5a;color:#2b2208}
.silver{border-color:#8b959b;background:#d9dee1}
.bronze{border-color:#9c5f2b;background:#e0a878}
.mine td{background:var(--tint)}
.tag{margin-inline-start:.5rem;padding:.1rem .6rem;border-radius:1rem;font-size:.75rem}
.old{margin-bottom:1rem;border-color:var(--flame)}
.message{justify-items:start;gap:.6rem}
.ghost{min-height:1.1rem;border-radius:1rem;background:var(--line)}

.toasts{position:fixed;inset:auto auto 0;inset-inline-end:0;z-index:9999;gap:.75rem;width:min(25rem,100vw);padding:1rem;max-height:100dvh;overflow:auto;pointer-events:none}
.toast{padding:.8rem .4rem .8rem 1rem;border-inline-start:.3rem solid var(--accent);box-shadow:0 .25rem 1rem #0003;pointer-events:auto}
.toast button{flex:none;width:2.75rem;padding:0;border:0}
.toast .flame{width:1.75rem}

@container (min-width:44rem){
	.filled{grid-template-columns:3fr 2fr}
	.hero{flex-wrap:nowrap;padding-inline:2.25rem}
}
::slotted(:not([slot])){height:100%}
@media (prefers-reduced-motion:no-preference){
	.ghost{animation:breathe 1.5s infinite alternate}
	.fresh,.toast{animation:pop .5s cubic-bezier(.2,1.6,.4,1)}
	.arc{animation:grow .9s}
}
@keyframes breathe{to{opacity:.5}}
@keyframes pop{from{transform:scale(.7);opacity:0}}
@keyframes grow{from{stroke-dashoffset:var(--from)}}
@media (forced-colors:active){
	.bar,.day,.tag,.mine td{border:1px solid}
	.bar div,.credited,.tag,[aria-pressed=true]{background:Highlight;color:HighlightText;forced-color-adjust:none}
	.arc{stroke:Highlight}
}`);

class Laurel extends HTMLElement {
	static observedAttributes = "src lang texts heading board period limit within streak quiet".split(" ");
	live = h("div.hidden", {role: "status"});
	body = h("div");

	constructor() {
		super();
		this.root = this.attachShadow({mode: "open"});
		this.root.adoptedStyleSheets = [STYLE];
		this.root.append(this.live, this.body);
	}

	connectedCallback() {
		this.join();
	}

	disconnectedCallback() {
		this.source.leave(this);
		this.source = this.resource = null;
	}

	attributeChangedCallback() {
		if (this.source) this.join();
	}

	join() {
		const src = this.getAttribute("src");
		const base = new URL(src || "/", src ? document.baseURI : import.meta.url).href.replace(/\/+$/, "");
		const lang = this.setLanguage();
		const source = (Source.all[`${base} ${lang}`] ??= new Source(base, lang));
		const url = this.path && source.base + this.path;
		if (this.source !== source || this.resource?.url !== url) {
			this.source?.leave(this);
			this.source = source;
			this.resource = source.join(this, this.path);
		}
		this.paint();
	}

	/* The nearest ancestor's, across shadow roots. */
	setLanguage() {
		let lang, own;
		for (let node = this; node && !lang; node = node.getRootNode().host) lang = node.closest("[lang]")?.lang;
		this.locale = "en";
		try {
			[this.locale] = Intl.getCanonicalLocales(lang || "en");
			own = JSON.parse(this.getAttribute("texts"));
		} catch {
			console.warn("Laurels: invalid 'lang' or 'texts'", this);
		}
		this.texts = {...TEXTS.en, ...TEXTS[this.locale.split("-")[0]], ...own};
		return lang ? this.locale : "";
	}

	number(value, scale) {
		return (scale ? value / scale : value)?.toLocaleString(this.locale, scale && {maximumFractionDigits: 9});
	}

	date(time, options) {
		return new Date(time).toLocaleString(this.locale, {timeZone: "UTC", ...options});
	}

	t(key, n, of) {
		const text = this.texts[key];
		const form = text.other ? (text[new Intl.PluralRules(this.locale).select(n)] ?? text.other) : text;
		return form.replace(/\{(n|of)\}/g, (_, name) => this.number(name === "n" ? n : of));
	}

	count(key, n) {
		return `${this.number(n)} ${this.t(key, n)}`;
	}

	heading(below, selector, ...rest) {
		return h(`h${Math.min(6, (+this.getAttribute("heading") || 2) + below)}.${selector}`, rest);
	}

	/* Keeps the focus, and old content until there is new. */
	paint() {
		const ready = this.resource.data || this.resource.problem;
		if (this.drawn && !ready) return;
		this.drawn = ready;
		const focused = this.root.activeElement?.id;
		this.body.replaceChildren(...[this.view()].flat());
		this.root.getElementById(focused)?.focus();
	}

	say(text) {
		if (this.live.textContent !== text) this.live.textContent = text;
	}

	view() {
		const {data, problem, at} = this.resource;
		this.say(data || problem ? "" : this.t("loading"));
		const quiet = this.hasAttribute("quiet");
		if (problem?.status === 401) return quiet ? [] : this.message("out", this.t("outText"), h("slot", {name: "signed-out"}));
		if (!data) return problem ? this.failed(problem) : this.skeleton();
		if (!problem || quiet) return this.content(data);
		const old = this.t("old", this.date(at, {timeZone: undefined, timeStyle: "short"}));
		this.say(old);
		return [h("div.card.old.row", old, this.tryAgain()), this.content(data)];
	}

	skeleton(lines = 8) {
		return h("div.card.stack", DECORATIVE, Array.from({length: lines}, () => h("div.ghost")));
	}

	message(title, text, more) {
		return h("section.card.message", this.heading(0, "heading", this.t(title)), h("p.quiet", text), more);
	}

	failed({status, reason}) {
		const why = this.t({0: "offline", 404: "unknown"}[status] ?? "answered", reason);
		this.say(`${this.t("failed")}. ${why}`);
		return this.message("failed", why, this.tryAgain());
	}

	tryAgain() {
		return this.button("again", () => this.source.refresh(true));
	}

	button(id, action, attributes, text = this.t(id)) {
		return h(`button.button.${id}`, {id, ...attributes}, action, text);
	}

	bar(share, label, text) {
		const done = h("div");
		done.style.setProperty("--share", `${Math.min(100, share)}%`);
		return h("div.bar", {role: "progressbar", "aria-label": label, "aria-valuenow": Math.floor(share), "aria-valuetext": text}, done);
	}

	facts(...pairs) {
		return h("dl.facts", pairs.map(([key, value]) => value && h("div", h("dt", this.t(key)), h("dd.number", value))));
	}
}

const define = (name, element) => customElements.get(`laurels-${name}`) ?? customElements.define(`laurels-${name}`, element);

const PROFILE = API + "profile?include=balance,next,toward,streaks,rank&days=35";

define("profile", class extends Laurel {
	path = PROFILE;

	skeleton() {
		return h("div.stack", this.withSlot(super.skeleton()), super.skeleton(12));
	}

	withSlot(card) {
		return h(`div.stack${this.querySelector(":scope>:not([slot])") ? ".filled" : ""}`, card, h("slot"));
	}

	content(data) {
		const before = this.shown;
		this.shown = data;
		const {badges, availableBadges: others, toward, badgeAwarded} = data;
		const fresh = ({id}) => (before ? before.badges.every((one) => one.id !== id) : id === badgeAwarded);
		const first = !badges.length && others.find(({id}) => id === data.next[0]?.id);
		const group = (name, ...rest) => h(`section.card.${name}`, this.heading(1, "heading", this.t(name)), rest);
		return h("div.stack", this.withSlot(this.level(data, before)),
			first && group("first", h("ul.badges", this.badge(first))),
			badges.length && group("earned", h("ul.badges", badges.map((badge) => this.badge(badge, fresh(badge) ? ".fresh" : "")))),
			group("coming", others.length ? h("ul.badges", others.map((badge) => this.badge(badge, ".next", toward.find(({id}) => id === badge.id)))) : h("p.quiet", this.t("all"))));
	}

	level(data, before) {
		const {points, balance, nextLevel, level, title, progress, rank: {rank, rankedUsers}, badges: {length}, availableBadges} = data;
		const left = points >= nextLevel ? this.t("top") : this.t("toNext", this.count("point", nextLevel - points), level + 1);
		return h("section.card.hero", this.ring(data, before), h("div.about",
			h("p.level", this.t("level", level)), this.heading(0, "title", title),
			this.bar(progress, this.t("level", level), `${progress} %, ${left}`), h("p.note", left),
			this.facts(["rank", rank ? this.t("of", rank, rankedUsers) : "–"], ["badges", this.t("of", length, length + availableBadges.length)],
				["balance", balance !== points && this.number(balance)])));
	}

	/* Grows from its old value, on a new level from 0. */
	ring({points, progress, level}, before) {
		const place = {cx: 60, cy: 60, r: 52};
		const arc = h("circle.arc", place, {pathLength: 100, "stroke-dasharray": 100, "stroke-dashoffset": 100 - progress});
		arc.style.setProperty("--from", before?.level === level ? 100 - before.progress : 100);
		return h("div.ring", h("svg", {viewBox: "0 0 120 120"}, DECORATIVE, h("circle", place), arc),
			h("div", h("span.points.number", this.number(points)), " ", h("span.note", this.t("point", points))));
	}

	badge({name, icon, points, description, condition}, state = "", toward) {
		const share = toward?.target > 1 && [toward.current, toward.target].map((n) => this.number(n, toward.scale)).join(" / ");
		return h(`li.badge${state}`, h("div.icon", DECORATIVE, icon), h("div.what",
			h("div.row", h("span.name", name), h("span.note.number", `+${this.number(points)}`, hidden(` ${this.t("point", points)}`))),
			h("div.row.note", state === ".next" ? condition : description, share && h("span.number", share)),
			share && this.bar((100 * toward.current) / toward.target, name, share)));
	}
});

const DAY = 864e5;
const WEEK = [0, 1, 2, 3, 4, 5, 6];
const WEEKS = [0, 7, 14, 21, 28];
const month = (time, more) => Date.UTC(new Date(time).getUTCFullYear(), new Date(time).getUTCMonth() + more, 1);

define("streak", class extends Laurel {
	path = PROFILE;

	content({streaks}) {
		const wanted = this.getAttribute("streak");
		const streak = streaks.find(({name}) => name === (wanted ?? name));
		if (!streak) return this.failed({status: 404});
		const {name, title, unit, length, status, longest, totalDays, freezes, neededDays, doneDays, endsAtLocal: end} = streak;
		// The title of an only streak is shown if the catalog has one, and it is not just the id.
		const titled = streaks[1] || title.toLowerCase() !== name.toLowerCase();
		// The last minute before it, in the user's local time: without the offset.
		const until = end && this.date(Date.parse(`${end.slice(0, 19)}Z`) - 1, {weekday: "long", hour: "numeric", minute: "2-digit"});
		return h("section.card", h("div.head", sign(FLAME, length ? "flame" : "flame.cold"), h("div",
			this.heading(0, "name", hidden(`${titled ? title : this.t("streak")}: `), h("span.length.number", this.number(length)), ` ${this.t(unit, length)} ${this.t("row")}`),
			h("p.note", this.t(`is_${status}`, until)), titled && h("p.note.title", DECORATIVE, title))),
		this.calendar(streak), this.facts(["goal", neededDays && this.t("of", doneDays, neededDays)], ["longest", this.count(unit, longest)], ["total", this.count(unit, totalDays)], ["freezes", freezes && this.number(freezes)]));
	}

	mark(why, title) {
		return [h(`span.day.${why}`, {title}, sign(SIGNS[why])), title && hidden(title)];
	}

	/* Five weeks; a weekly or monthly streak has one row. */
	calendar({unit, days}) {
		const known = days[0] ? days : [{day: new Date().toISOString().slice(0, 10), why: "open"}];
		const whys = new Map(known.map(({day, why}) => [Date.parse(day), why]));
		const [now] = whys.keys();
		const monday = new Intl.Locale(this.locale).getWeekInfo?.().firstDay ?? 1;
		const daily = unit === "day", monthly = unit === "month";
		const start = monthly ? month(now, -4) : now - (daily ? 28 + ((new Date(now).getUTCDay() - monday + 7) % 7) : 28) * DAY;
		const cell = (days) => {
			const time = monthly ? month(start, days / 7) : start + days * DAY;
			const why = whys.get(time);
			const day = this.date(time, monthly ? {month: "long", year: "numeric"} : {weekday: "long", day: "numeric", month: "long"});
			return h("td", time === now && {"aria-current": "date"}, this.mark(why ?? "blank", why && `${day}: ${this.t(why)}`));
		};
		const head = (day) => {
			const named = (weekday) => this.date(start + day * DAY, {weekday});
			return h("th", {scope: "col", "aria-label": named("long")}, named("narrow"));
		};
		return [h("table.calendar", h("caption.hidden", this.t(monthly ? "months" : "calendar")), daily && h("thead", h("tr", WEEK.map(head))),
			h("tbody", !daily ? h("tr", WEEKS.map(cell)) : WEEKS.map((first) => h("tr", WEEK.map((day) => cell(first + day)))))),
		h("ul.legend.note", DECORATIVE, Object.keys(SIGNS).map((why) =>
			[...whys].some(([time, one]) => one === why && time >= start) && h("li", this.mark(why), this.t(why))))];
	}
});

define("leaderboard", class extends Laurel {
	get period() {
		return this.getAttribute("period") || "current";
	}

	get path() {
		const within = this.getAttribute("within");
		const query = new URLSearchParams({period: this.period, limit: this.getAttribute("limit") || 10, ...within && {within}});
		return `${API}leaderboards/${encodeURIComponent(this.getAttribute("board") || "points")}?${query}`;
	}

	skeleton() {
		return super.skeleton(Math.min(17, 3 + 2 * (this.getAttribute("limit") || 7)));
	}

	async follow(count) {
		const {resource} = this;
		const pages = [resource.data];
		for (let last; (last = pages.at(-1)?.next) && pages.length <= count; )
			pages.push((await read(`${resource.url}&after=${encodeURIComponent(last)}`, false, this.source.lang)).data);
		resource.pages = pages.filter(Boolean);
		if (this.resource === resource) this.paint();
	}

	failed(problem) {
		return h("div.stack", this.period !== "current" && this.switch(), super.failed(problem));
	}

	content(data) {
		const {board, me, meHidden, teams, rankedUsers, rankedTeams = 0, recomputing} = data;
		const {pages = [data]} = this.resource;
		if (pages[0] !== data) this.follow(pages.length - 1);
		const lines = teams ?? pages.flatMap((page) => page.standings);
		const mine = ({mine, userId}) => mine ?? userId === me?.userId;
		const further = pages.at(-1)?.next;
		// A hidden reader's line goes before the first line behind it.
		if (meHidden && !lines.some(mine)) {
			const place = lines.findIndex((line) => this.ahead(me, line, board) > 0);
			if (place >= 0 || !further) lines.splice(place < 0 ? lines.length : place, 0, me);
		}
		const score = board.by === "points" ? this.t("point", 2) : this.t("score");
		return h("section.card",
			h("div.row", h("div", this.heading(0, "heading.board", {id: "board", tabindex: -1}, board.name), h("p.note", this.span(data), board.teams ? this.count("team", rankedTeams) : this.t("ranked", rankedUsers))),
				board.within && this.choice(data), board.period !== "all" && this.switch(board.period)),
			recomputing && h("p.note", this.t("recomputing")),
			lines.length && h("table.table", h("caption.hidden", board.name),
				h("thead", h("tr", [this.t("rank"), this.t("name"), score].map((name) => h("th", {scope: "col"}, name)))),
				h("tbody", lines.map((line) => this.line(line, mine(line), meHidden, board.scale))),
				me && !lines.some(mine) && h("tbody", {"aria-label": this.t("yours")}, this.line(me, true, meHidden, board.scale))),
			lines.length ? !me && !teams && h("p.note", this.t("unranked")) : h("p.quiet", this.t("empty")),
			further && this.button("more", () => this.more()));
	}

	/* Positive if one line is ahead of another. */
	ahead(one, other, {order}) {
		return (order === "lowest" ? other.score - one.score : one.score - other.score)
			|| Date.parse(other.reachedAt) - Date.parse(one.reachedAt) || (one.userId < other.userId ? 1 : -1);
	}

	/* Without the button, focus moves to the heading. */
	async more() {
		await this.follow(this.resource.pages?.length ?? 1);
		this.root.activeElement ?? this.root.getElementById("board")?.focus();
	}

	line({rank, name, team, title, score}, mine, hidden, scale) {
		const medal = ["", ".medal", ".medal.silver", ".medal.bronze"][rank] ?? "";
		return h(`tr.line${mine ? ".mine" : ""}`, mine && {"aria-current": "true"},
			h("td.number", h(`span${medal}`, this.number(rank))),
			h("td", h("bdi.name", name), mine && h("span.tag", this.t(team ? "yourTeam" : "you")), title && h("div.note", title),
				mine && hidden && h("div.note", this.t("onlyYou"))),
			h("td.name.number", this.number(score, scale)));
	}

	choice({board, within, values = []}) {
		const select = h("select.choice", {id: "within", "aria-label": board.within}, [...new Set([within, ...values])].sort().map((one) =>
			h("option", {selected: one === within ? "" : null}, one)));
		select.addEventListener("change", () => this.setAttribute("within", select.value));
		return select;
	}

	switch(unit) {
		const relative = new Intl.RelativeTimeFormat(this.locale, {numeric: "auto"});
		return h("div.switch", ["current", "previous"].map((id, ago) =>
			this.button(id, () => this.setAttribute("period", id), {"aria-pressed": this.period === id},
				/day|week|month|year/.test(unit) ? relative.format(-ago, unit) : this.t(id))));
	}

	/* Up to its last day. */
	span({board, period}) {
		if (!period.start || !period.end) return "";
		const format = new Intl.DateTimeFormat(this.locale, {dateStyle: "medium", timeZone: board.zone});
		return `${format.formatRange(new Date(period.start), new Date(period.end) - 1)} · `;
	}
});

define("toast", class extends Laurel {
	waiting = [];

	constructor() {
		super();
		this.body.className = this.body.part = "toasts";
		this.body.role = "region";
		this.live.ariaAtomic = "false";
		this.body.addEventListener("keydown", ({key, target}) => key === "Escape" && this.drop(target.closest(".toast")));
	}

	paint() {
		this.body.ariaLabel = this.t("news");
	}

	notified({type, badge, times, level, title, length, board, rank}) {
		if (type === "badge.earned") this.show(badge.icon, this.t("toastBadge"), `${badge.name} · ${this.count("point", badge.points)}`);
		if (type === "badge.repeated") this.show(badge.icon, this.t("toastAgain"), `${badge.name} × ${this.number(times)}`);
		if (type === "level.reached") this.show(this.number(level), this.t("toastLevel", level), title);
		if (type === "streak.extended") this.show(sign(FLAME, "flame"), this.t("toastStreak"), `${this.number(length)} ${this.t("row")}`);
		if (board) this.show(this.number(rank), this.t(/closed/.test(type) ? "toastFinal" : "toastRank", rank), board.name);
	}

	/* Three at a time; the live region gets the text only. */
	show(icon, title, text = "") {
		if (this.body.children.length >= 3) return void this.waiting.push([icon, title, text]);
		const toast = h("div.card.toast", h("div.icon", DECORATIVE, icon), h("div.what", h("p.name", title), h("p", text)),
			h("button.dismiss", {"aria-label": `${this.t("dismiss")}: ${title}`}, () => this.drop(toast), sign("M4 4l8 8M12 4l-8 8")));
		this.body.append(toast);
		this.live.append(h("p", `${title}: ${text}`));
		// Paused while hovered, focused or in a hidden page.
		let left = 5000 + 60 * (title + text).length;
		const timer = setInterval(() => {
			if (!document.hidden && !this.matches(":hover, :focus-within")) left -= 250;
			if (toast.isConnected && left > 0) return;
			clearInterval(timer);
			this.drop(toast);
		}, 250);
	}

	drop(toast) {
		if (!toast?.parentNode) return;
		const next = toast.matches(":focus-within") && (toast.nextSibling ?? toast.previousSibling);
		toast.remove();
		this.live.firstChild?.remove();
		if (next) next.lastChild.focus();
		if (this.waiting.length) this.show(...this.waiting.shift());
	}
});
