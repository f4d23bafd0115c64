"""How late a running vault's checkpoints cover its events, as a reader of the published folder sees it."""

import os
import re
import threading
import time
from datetime import datetime

import audit_page

POLL_S = 0.005
TIME = re.compile(rb'"time":"([^"]+)"')


class Watch:
    """Within `with`, notes when the checkpoint grew; lags() afterwards."""

    def __init__(self, folder):
        self.folder, self.seen, self.ended = folder, [], threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def size(self):
        with open(os.path.join(self.folder, "checkpoint"), "rb") as file:
            return int(file.read().split(b"\n")[1])

    def watch(self):
        ended = False
        while not ended:
            ended = self.ended.wait(POLL_S)  # what came last is looked at, too
            size, now = self.size(), time.time()
            if size != self.seen[-1][1]:
                self.seen.append((now, size))

    def __enter__(self):
        self.seen = [(time.time(), self.size())]
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def times(self, first, size):
        """When each of the events happened, by vault time, which is the wall clock's here."""
        for index in range(first // 256, (size + 255) // 256):
            name = os.path.join(self.folder, "tile", "entries", audit_page.index_path(index))
            if not os.path.exists(name):
                name = os.path.join(name + ".p", str(size - 256 * index))
            with open(name, "rb") as file:
                found = TIME.findall(file.read())
            for number, text in enumerate(found, 256 * index):
                if first <= number < size:
                    yield datetime.fromisoformat(text.decode()).timestamp()

    def lags(self):
        """Of each event that was covered meanwhile: seconds from its time to the checkpoint, sorted."""
        first, size = self.seen[0][1], self.seen[-1][1]
        steps, lags = iter(self.seen[1:]), []
        covered, until = 0, first
        for number, happened in enumerate(self.times(first, size), first):
            while number >= until:
                covered, until = next(steps)
            lags.append(covered - happened)
        return sorted(lags)
