"""Headless Chromium, driven over a pipe by the Chrome DevTools Protocol; pages run without JavaScript."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DESKTOP, PHONE = (1024, 800), (320, 640)
# Both ends of the protocol are these file descriptors of the browser.
_READS, _WRITES = 3, 4


class Browser:
    """A browser with one page."""

    def __init__(self, program: str, profile: Path) -> None:
        our_read, their_write = os.pipe()
        their_read, our_write = os.pipe()
        command = [
            *(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
            *(f"--user-data-dir={profile}", "about:blank"),
        ]

        def take_pipes() -> None:
            # By way of numbers that are neither of the two.
            for number, own in ((_READS, os.dup(their_read)), (_WRITES, os.dup(their_write))):
                os.dup2(own, number)

        self._process = subprocess.Popen(
            command, preexec_fn=take_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(their_read)
        os.close(their_write)
        self._in, self._out = os.fdopen(our_read, "rb"), os.fdopen(our_write, "wb", buffering=0)
        self._number, self._session = 0, ""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "DOM", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setScriptExecutionDisabled", value=True)
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def size(self, width: int, height: int) -> None:
        """Give the page the size of a window, or of a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def open(self, url: str) -> None:
        """Open an address, and wait until the page is there."""
        with self._loading():
            self.call("Page.navigate", url=url)

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        node = self._node(selector)
        self.call("DOM.scrollIntoViewIfNeeded", nodeId=node)
        x1, y1, _x2, _y2, x3, y3, *_last = self.call("DOM.getBoxModel", nodeId=node)["model"]["content"]
        at = {"x": (x1 + x3) / 2, "y": (y1 + y3) / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def submit(self, selector: str = "button") -> None:
        """Click what leads to another page, and wait until it is there."""
        with self._loading():
            self.click(selector)

    def enter(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.call("DOM.focus", nodeId=self._node(selector))
        self.call("Input.insertText", text=text)

    def html(self, selector: str) -> str:
        """The HTML of an element."""
        return str(self.call("DOM.getOuterHTML", nodeId=self._node(selector))["outerHTML"])

    def has(self, selector: str) -> bool:
        """Whether the page has such an element by now."""
        root = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        return bool(self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"])

    def address(self) -> str:
        """The address of the page."""
        history = self.call("Page.getNavigationHistory")
        return str(history["entries"][history["currentIndex"]]["url"])

    def width(self) -> int:
        """How wide the page's content is: wider than the window means that it has to be scrolled sideways."""
        return int(self.call("Page.getLayoutMetrics")["cssContentSize"]["width"])

    def picture(self) -> bytes:
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        return b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])

    def complaints(self) -> list[str]:
        """What the browser has written into its log: a policy that was violated, what could not be loaded."""
        entries = [event["params"]["entry"] for event in self.events if event.get("method") == "Log.entryAdded"]
        return [str(entry["text"]) for entry in entries]

    def _node(self, selector: str) -> int:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = int(self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"])
        assert node, f"The page has no {selector}."
        return node

    @contextmanager
    def _loading(self) -> Iterator[None]:
        self.events = [event for event in self.events if event.get("method") != "Page.loadEventFired"]
        yield
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        read = bytearray()
        while (byte := self._in.read(1)) not in (b"\0", b""):
            read += byte
        if not read:
            raise RuntimeError("The browser has ended.")
        message: dict[str, Any] = json.loads(read)
        return message
