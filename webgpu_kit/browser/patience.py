"""How long a page is waited for: by what it does, not by the clock on the wall."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright import async_api

READING_INTERVAL_S = 1.0
# An idle page that is asked for its state ten times a second takes about 0.03 of a core.
WORKING_SHARE = 0.25


@dataclass(frozen=True)
class Patience:
    """Seconds that a page may do nothing, or compute without a sign of progress, and that the golden may take.

    A software GPU can spend minutes on one shader, and a page as long on unpacking large weights. The golden goes on
    beyond its budget until `min_samples` have run.
    """

    stall_s: float = 60.0
    busy_s: float = 900.0
    budget_s: float = 60.0
    min_samples: int = 3


class Stopwatch:
    """Seconds since it was made or last restarted."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin again at zero."""
        self._started = time.monotonic()

    def seconds(self) -> float:
        """How long it has been."""
        return time.monotonic() - self._started


class CpuWatch:
    """Whether a browser is computing, told by the processor time of all its processes. Only Chromium says."""

    def __init__(self, browser: async_api.Browser | None) -> None:
        self._browser = browser
        self._session: async_api.CDPSession | None = None
        self._last: tuple[float, float] | None = None

    async def is_working(self) -> bool:
        """Whether it computed since the last reading, one second ago or more; False while there is none."""
        now = time.monotonic()
        if self._last and now - self._last[0] < READING_INTERVAL_S:
            return False
        used_s = await self._read()
        last, self._last = self._last, (now, used_s)
        return last is not None and used_s - last[1] > WORKING_SHARE * (now - last[0])

    async def _read(self) -> float:
        if self._browser is None or self._browser.browser_type.name != "chromium":
            return 0.0
        self._session = self._session or await self._browser.new_browser_cdp_session()
        found = await self._session.send("SystemInfo.getProcessInfo")
        return float(sum(process["cpuTime"] for process in found["processInfo"]))
