"""How soon the component shows the first free time on a slow phone: as it loads, and with all of its parts at first."""

import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from math import inf
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, CDPSession, ViewportSize

from tests.browser.live import PUBLISHABLE_KEY, Stage

# Milliseconds of a round trip and bytes a second: what Lighthouse takes for a slow 4G connection, as it is and as
# Chromium's tools have it (each request as if it opened a connection), and one in a crowded cell (200 kbit/s).
NETWORKS = {"slow 4G": (150, 204_800), "slow 4G, new connections": (562.5, 180_000), "crowded cell": (150, 25_000)}
# Of a phone of the middle class, beside this machine.
CPU_SLOWDOWN = 4
PHONE = ViewportSize(width=390, height=844)
# SPEED_ROUNDS=3 measures, on all networks; once on one is enough to see what is waited for.
ROUNDS = int(os.environ.get("SPEED_ROUNDS", "1"))

WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries())).observe({ type: "longtask", buffered: true });
const look = () => {
  if (document.querySelector("session-booking")?.shadowRoot?.querySelector("[part~=slot]")) {
    window.firstSlot = performance.now();
  } else requestAnimationFrame(look);
};
look();
"""
FIGURES = """() => ({
  first_paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  first_slot: firstSlot,
  blocking: longTasks.filter(({ startTime }) => startTime < firstSlot)
    .reduce((sum, { duration }) => sum + duration - 50, 0),
})"""
PAGE = """<!DOCTYPE html>
<html lang="{lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Book a session</title><link rel="icon" href="data:,">
{head}
<h1>Our coaches</h1>
<session-booking variant="{variant}" {subject} publishable-key="{key}"></session-booking>"""
ENTRY = "session-booking.js"
# All modules are there before the element begins, and all parts begin with it.
EAGER = """
{imports}
import {{ SessionBooking }} from "{own}";
const {{ makeContext, loadParts }} = SessionBooking.prototype;
SessionBooking.prototype.makeContext = function () {{
  const context = makeContext.call(this);
  this.parts = loadParts.call(this, context, this.started.signal);
  return context;
}};
SessionBooking.prototype.loadParts = function () {{ return this.parts; }};
"""


@dataclass(frozen=True)
class Figures:
    """Milliseconds since the page was asked for; `blocking` is what tasks took beyond 50 each until then."""

    first_paint: float
    first_slot: float
    blocking: float


@dataclass(eq=False)
class Sent:
    """A request of the page: when it was sent and answered, in milliseconds since 1970."""

    name: str
    begin: float
    end: float = inf
    size: int = 0


@dataclass(frozen=True)
class Load:
    """A page's load, when it began, and what was on its way until the first free time was shown."""

    figures: Figures
    began: float
    sent: list[Sent]

    @property
    def names(self) -> list[str]:
        return sorted(each.name for each in self.sent)

    @property
    def round_trips(self) -> int:
        """How many requests waited for one another, one after the other."""
        depth: dict[Sent, int] = {}
        for each in sorted(self.sent, key=lambda sent: sent.begin):
            depth[each] = 1 + max((depth[other] for other in depth if other.end <= each.begin), default=0)
        return max(depth.values())

    @property
    def size(self) -> int:
        return sum(each.size for each in self.sent)


def pages_of(stage: Stage) -> dict[str, str]:
    """The pages that are compared, by name: as they load, and with all parts at first."""
    host, api = stage.live.host, stage.live.api
    files = stage.as_mentee.get("/component/manifest.json")["files"]
    own = f"{api}/component/{ENTRY}"
    parts = [f"{api}/component/{name}" for name in files if name not in (ENTRY, "service-worker.js")]
    host.files["eager.js"] = EAGER.format(own=own, imports="\n".join(f'import "{name}";' for name in parts))
    # The browser is told of all files at once: what is left of the difference is their size, and the work they are.
    preloads = "".join(f'<link rel="modulepreload" href="{name}" crossorigin>' for name in (own, *parts))
    lazy = f'<script type="module" src="{own}" crossorigin></script>'
    eager = f'{preloads}<script type="module" src="/files/eager.js"></script>'
    mentor = f'mentor="{stage.mentor.id}"'

    def page(variant: str, head: str = lazy, subject: str = mentor, lang: str = "en") -> str:
        return PAGE.format(head=head, variant=variant, subject=subject, lang=lang, key=PUBLISHABLE_KEY)

    return {
        "basic": page("basic"),
        "basic of a listing": page("basic", subject=f'{mentor} listing="{stage.instant.id}"'),
        "basic in German": page("basic", lang="de"),
        "enhanced": page("enhanced"),
        "realtime": page("realtime"),
        "all parts at first": page("realtime", head=eager),
    }


@pytest.mark.timeout(900)
@pytest.mark.chromium
def test_the_first_time_waits_for_no_part(browser: Browser, stage: Stage) -> None:
    for network in NETWORKS if ROUNDS > 1 else list(NETWORKS)[:1]:
        found = measure(browser, stage, network)
        print(f"\n{network}")
        for name, loads in found.items():
            figures = (f"{each.name} {middle(loads, each.name):5.0f} ms" for each in fields(Figures))
            print(f"{name:20}", *figures, f"{loads[0].round_trips} round trips, {loads[0].size / 1000:.0f} kB")
        require_no_part(stage, found)


def measure(browser: Browser, stage: Stage, network: str) -> dict[str, list[Load]]:
    """The loads of each page, by turns."""
    pages = pages_of(stage)
    found: dict[str, list[Load]] = {name: [] for name in pages}
    for _round in range(ROUNDS):
        for name, page in pages.items():
            stage.live.host.files["page.html"] = page
            found[name].append(load(browser, f"{stage.live.origin}/files/page.html", *NETWORKS[network]))
    return found


def require_no_part(stage: Stage, found: dict[str, list[Load]]) -> None:
    """Nothing is waited for but the page, the script, and what is shown."""
    # Neither a part nor a question whether the page may ask.
    mentor = f"/mentors/{stage.mentor.id}"
    needed = ["/files/page.html", f"/component/{ENTRY}", mentor, f"{mentor}/slots", "/listings"]
    eager = found.pop("all parts at first")
    for name, loads in found.items():
        for each in loads:
            words = [asked for asked in each.names if asked.startswith("GET /component/de-")]
            assert len(words) == (name == "basic in German")
            assert each.names == sorted([*words, *(f"GET {path}" for path in needed)]), name
            assert each.round_trips == 3, name
            assert all(each.size < 0.5 * other.size for other in eager), name


def load(browser: Browser, url: str, round_trip_ms: float, bytes_a_second: int) -> Load:
    """Open a page on a slow phone, with nothing cached."""
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        sent = watch_requests(protocol)
        network = {
            "offline": False,
            "latency": round_trip_ms,
            "downloadThroughput": bytes_a_second,
            "uploadThroughput": -1,
        }
        protocol.send("Network.emulateNetworkConditions", network)
        protocol.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWDOWN})
        page.add_init_script(WATCH)
        page.goto(url, wait_until="commit")
        page.wait_for_function("window.firstSlot")
        began, figures = page.evaluate("performance.timeOrigin"), Figures(**page.evaluate(FIGURES))
        return Load(figures, began, [each for each in sent if each.begin < began + figures.first_slot])


def watch_requests(protocol: CDPSession) -> Collection[Sent]:
    """The requests of a page from now on, those included by which the browser asks for permission (CORS)."""
    sent: dict[str, Sent] = {}
    # Of one clock and the other, both in seconds.
    ahead: list[float] = []

    def begin(event: dict[str, Any]) -> None:
        ahead.append(event["wallTime"] - event["timestamp"])
        if not event["request"]["url"].startswith("data:"):
            name = f"{event['request']['method']} {urlsplit(event['request']['url']).path}"
            sent[event["requestId"]] = Sent(name, event["wallTime"] * 1000)

    def end(event: dict[str, Any]) -> None:
        if (found := sent.get(event["requestId"])) is not None:
            found.end = (event["timestamp"] + ahead[0]) * 1000
            found.size = int(event.get("encodedDataLength", 0))

    protocol.on("Network.requestWillBeSent", begin)
    protocol.on("Network.loadingFinished", end)
    protocol.send("Network.enable")
    return sent.values()


def middle(loads: list[Load], name: str) -> float:
    return median(float(getattr(each.figures, name)) for each in loads)
