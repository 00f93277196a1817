// The console's scripts: an editor that checks as one types, and figures that refresh. All pages work without it.

const DEBOUNCE = 400; // milliseconds without a key before a check
const REFRESH = 2000; // milliseconds between two looks at how far something is
const MOST_REFRESHES = 1800; // an hour; then the page's own link refreshes

/** An editor: line numbers next to the text, its check under it. A check that a later key made stale is dropped. */
class Editor {
  constructor(form) {
    this.form = form;
    this.text = form.elements.text;
    this.result = form.querySelector("[data-result]");
    this.status = form.querySelector("[data-status]");
    this.numbers = document.createElement("pre");
    this.numbers.className = "numbers-of-lines";
    this.numbers.setAttribute("aria-hidden", "true");
    this.text.before(this.numbers);
    this.text.addEventListener("input", () => this.changed());
    this.text.addEventListener("scroll", () => this.align());
    this.result.addEventListener("click", (event) => this.follow(event));
    form.querySelector("[data-check-now]").addEventListener("click", (event) => {
      event.preventDefault();
      this.check({ focus: true });
    });
    this.number();
  }

  changed() {
    this.number();
    clearTimeout(this.timer);
    this.running?.abort();
    this.timer = setTimeout(() => this.check(), DEBOUNCE);
  }

  number() {
    const lines = this.text.value.split("\n").length;
    if (lines !== this.lines) {
      this.lines = lines;
      this.numbers.textContent = Array.from({ length: lines }, (_, index) => index + 1).join("\n");
    }
    this.align();
  }

  align() {
    this.numbers.scrollTop = this.text.scrollTop;
  }

  /** Ask the server, and show what it says unless the text has changed since. `focus`: move the focus to the first fault. */
  async check({ focus = false } = {}) {
    clearTimeout(this.timer);
    this.running?.abort();
    const running = (this.running = new AbortController());
    let shown;
    try {
      const body = new URLSearchParams(new FormData(this.form));
      const answer = await fetch(this.form.dataset.check, { method: "POST", body, signal: running.signal });
      if (answer.status === 429 || answer.status === 503) {
        const seconds = Number(answer.headers.get("retry-after")) || 1;
        if (running === this.running) this.timer = setTimeout(() => this.check({ focus }), seconds * 1000);
        return;
      }
      shown = answer.ok ? await answer.text() : null;
    } catch (error) {
      if (error.name === "AbortError") return;
      shown = null;
    }
    if (running !== this.running) return;
    this.show(shown, focus);
  }

  show(html, focus) {
    if (html === null) {
      this.result.replaceChildren();
      this.say("The text could not be checked. Use Plan, or reload the page and sign in again; copy the text first.");
      const line = document.createElement("p");
      line.className = "verdict bad";
      line.textContent = this.status.textContent;
      this.result.append(line);
      return;
    }
    this.result.innerHTML = html; // of our own server, where every value is escaped
    this.say(this.result.querySelector("[data-verdict]").textContent);
    const first = this.result.querySelector("[data-line]");
    this.text.toggleAttribute("aria-invalid", Boolean(first));
    if (focus) (first ?? this.text).focus();
  }

  say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  /** Move the focus to the line of a fault, and select it. */
  follow(event) {
    const link = event.target.closest("[data-line]");
    if (!link) return;
    event.preventDefault();
    const line = Number(link.dataset.line);
    const lines = this.text.value.split("\n");
    const start = lines.slice(0, Math.max(0, line - 1)).reduce((sum, one) => sum + one.length + 1, 0);
    this.text.focus();
    this.text.setSelectionRange(start, line ? start + lines[line - 1].length : start);
    const height = this.text.scrollHeight / lines.length;
    this.text.scrollTop = Math.max(0, (line - 3) * height);
    this.text.scrollLeft = 0;
  }
}

/** Replace a part of the page by what its address shows now, until it shows no such part any more. */
async function refresh(part, left = MOST_REFRESHES) {
  await new Promise((done) => setTimeout(done, REFRESH));
  let found;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
  } catch {
    return; // the link in the part is still there
  }
  if (!found?.hasAttribute("data-refresh")) {
    part.removeAttribute("data-refresh");
    part.setAttribute("role", "status");
    part.replaceChildren(...(found?.childNodes ?? []));
    return;
  }
  const focused = part.contains(document.activeElement);
  if (!focused) part.replaceChildren(...found.childNodes);
  if (left > 1) refresh(part, left - 1);
}

for (const form of document.querySelectorAll("form[data-check]")) new Editor(form);
for (const part of document.querySelectorAll("[data-refresh]")) refresh(part);
