"""What every page must stand up to: axe-core, narrow screens, the keyboard alone, a first paint that waits for little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Page

from tests.web.axe import axe_script

WRONG = ("serious", "critical")
MOST_STOPS = 200
"""How often Tab is pressed before a page is said to have a trap."""

WALK = """
function* every(root) {
    for (const element of root.querySelectorAll("*")) {
        yield element;
        if (element.shadowRoot) yield* every(element.shadowRoot);
    }
}
function named(element) {
    const host = element.getRootNode().host;
    const mark = element.id ? "#" + element.id : [...element.classList].map((name) => "." + name).join("");
    return (host ? named(host) + " > " : "") + element.localName + mark;
}
"""


# ---- accessible to everybody --------------------------------------------------------------------


async def check_accessible(page: Page, excused: Mapping[str, str] | None = None) -> None:
    """Fail with a list of what axe-core finds serious or critical, shadow roots included, and moderate unless excused.

    `excused` gives the names of rules whose moderate findings are borne, each with the reason.
    """
    findings = await violations(page)
    grave = [one for one in findings if one["impact"] in WRONG]
    moderate = [one for one in findings if one["impact"] == "moderate" and one["id"] not in (excused or {})]
    told = "\n".join(_told(one) for one in (*grave, *moderate))
    assert not told, f"axe-core finds on {page.url}:\n{told}"


async def violations(page: Page) -> list[dict[str, Any]]:
    """All that axe-core finds. It comes in through the debugger, which the page's policy on scripts does not concern."""
    if not await page.evaluate("typeof window.axe === 'object'"):
        await page.evaluate(axe_script() + "; undefined")
    return await page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")


def _told(finding: dict[str, Any]) -> str:
    lines = [f"- {finding['impact']}, {finding['id']}: {finding['help']}"]
    for node in finding["nodes"]:
        where = " > ".join(part if isinstance(part, str) else " >> ".join(part) for part in node["target"])
        lines.append(f"    at {where}: {node['html'][:200]}")
        lines += [f"      {one['message']}" for one in (*node["any"], *node["all"], *node["none"])]
    return "\n".join(lines)


# ---- on narrow screens --------------------------------------------------------------------------


async def check_fits(page: Page) -> None:
    """Fail where the page can be scrolled sideways, and say what sticks out."""
    wide, room, sticking = await page.evaluate(
        """() => {"""
        + WALK
        + """
            const {scrollWidth, clientWidth} = document.scrollingElement;
            const out = [...every(document)].filter((one) => one.getBoundingClientRect().right > clientWidth + 0.5);
            return [scrollWidth, clientWidth, out.slice(0, 8).map(named)];
        }"""
    )
    assert wide <= room, f"{page.url} is {wide} px wide in a window of {room}; what sticks out: {', '.join(sticking)}"


# ---- with the keyboard alone --------------------------------------------------------------------


async def tab_order(page: Page, key: str = "Tab") -> list[str]:
    """Role and accessible name of each element at which Tab stops, in order, until it leaves the page or begins again."""
    debugger = await page.context.new_cdp_session(page)
    stops: list[str] = []
    first = None
    while True:
        await page.keyboard.press(key)
        node = await focused(debugger)
        if node is None or node.id == first:
            break
        assert len(stops) < MOST_STOPS, f"Tab never leaves {page.url}: {stops[-8:]}"
        first = first or node.id
        stops.append(str(node))
    await debugger.detach()
    return stops


@dataclass(frozen=True, slots=True)
class Node:
    """An element as a screen reader gets it."""

    id: int
    role: str
    name: str

    def __str__(self) -> str:
        return f"{self.role} {self.name}".strip()


async def focused(debugger: CDPSession) -> Node | None:
    """The element that has the focus, in whichever shadow root it is; None where that is the page itself."""
    deepest = """(() => {
        let one = document.activeElement;
        while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
        return one === document.body ? null : one;
    })()"""
    found = (await debugger.send("Runtime.evaluate", {"expression": deepest}))["result"]
    if "objectId" not in found:
        return None
    asked = {"objectId": found["objectId"], "fetchRelatives": False}
    (node,) = (await debugger.send("Accessibility.getPartialAXTree", asked))["nodes"]
    return Node(node["backendDOMNodeId"], node["role"]["value"], node.get("name", {}).get("value", ""))


# ---- the first paint ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FirstPaint:
    """When a page showed its first content, in milliseconds, and the paths that it had asked for by then, after the document."""

    at: float
    requests: list[str]


async def first_paint(page: Page) -> FirstPaint:
    """What came before the first contentful paint of the page that is open."""
    at = await page.evaluate(
        """() => new Promise((found) => new PerformanceObserver((list) => {
            const [paint] = list.getEntriesByName("first-contentful-paint");
            if (paint) found(paint.startTime);
        }).observe({type: "paint", buffered: true}))"""
    )
    before = """(at) => performance.getEntriesByType("resource").filter((one) => one.startTime < at)
        .map((one) => new URL(one.name)).filter((url) => url.protocol !== "data:").map((url) => url.pathname)"""
    return FirstPaint(at, await page.evaluate(before, at))


# ---- what moves ---------------------------------------------------------------------------------


async def layout_shift(page: Page) -> float:
    """How much of the page has jumped so far without anybody's doing (CLS); below 0.1 counts as good."""
    return await page.evaluate(
        """() => new Promise((found) => {
            let sum = 0;
            new PerformanceObserver((list) => {
                for (const shift of list.getEntries()) if (!shift.hadRecentInput) sum += shift.value;
            }).observe({type: "layout-shift", buffered: true});
            setTimeout(() => found(sum), 300);
        })"""
    )


async def animations(page: Page) -> list[str]:
    """The names of what runs in the page, shadow roots included."""
    return await page.evaluate(
        """() => {"""
        + WALK
        + """
            return [...every(document)].flatMap((one) => one.getAnimations()).map((one) => one.animationName ?? "");
        }"""
    )
