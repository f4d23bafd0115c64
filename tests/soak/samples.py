"""What a vault's processes use, second by second, and whether it stays flat."""

import os
import statistics
import threading
import time

PROCESSES = ("cardvaultd", "web", "processor", "auditor")
MEASURES = {"memory": "MiB", "descriptors": "number", "threads": "number"}
EVERY_S = 2.0


def _pid_file(vault, name):
    return vault.path("daemon.pid" if name == "cardvaultd" else f"gate-{name}.pid")


def measure(vault, name):
    """memory (anonymous and swapped, MiB), descriptors, threads; None while it is not there."""
    try:
        with open(_pid_file(vault, name), encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        kib = sum(int(status[key].split()[0]) for key in ("RssAnon", "VmSwap"))
        return {"memory": kib / 1024, "descriptors": descriptors, "threads": int(status["Threads"])}
    except (OSError, KeyError, ValueError):
        return None


class Samples:
    """Takes samples until stop(). `of[name][measure]` is [(second, value or None)]."""

    def __init__(self, vault):
        self.vault, self.began = vault, time.monotonic()
        self.of = {name: {measure: [] for measure in MEASURES} for name in PROCESSES}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(EVERY_S):
            second = time.monotonic() - self.began
            for name in PROCESSES:
                found = measure(self.vault, name) or dict.fromkeys(MEASURES)
                for what, value in found.items():
                    self.of[name][what].append((second, value))

    def stop(self):
        self._stop.set()
        self._thread.join()


def quarters(points, begin, end):
    """Medians of the second and of the last quarter of a time; the first is for warming up."""
    span = (end - begin) / 4
    parts = [[v for s, v in points if v is not None and begin + span * at <= s < begin + span * (at + 1)]
             for at in (1, 3)]
    if not all(parts):
        raise AssertionError("too short to tell: no samples in a quarter of it")
    return tuple(statistics.median(part) for part in parts)


def growth(points, begin, end):
    """A sentence about a growth that is none of noise, or None."""
    early, late = quarters(points, begin, end)
    allowed = max(0.15 * early, 4)  # of MiB, descriptors or threads
    return f"from {early:.1f} to {late:.1f}" if late > early + allowed else None
