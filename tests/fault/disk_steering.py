"""Steers tests/fault/disk_faults.cc in a real daemon, and reads the journal that it keeps. The layout is
that of disk_steering.h.

    steering = disk_steering.Steering()   # before vault_fixture is imported
    steering.watch(vault)                 # and restart the daemon
"""

import atexit
import collections
import mmap
import os
import shutil
import struct
import tempfile

import wrapped

KINDS = ("none", "vault.db", "vault.db-wal", "reveal.db", "reveal.db-wal", "data folder", "tile",
         "checkpoint", "log folder")
CALLS = ("open", "write", "sync", "truncate", "rename", "unlink", "mkdir", "chmod")
LIBRARY = os.path.join(wrapped.BUILD, "tests", "fault", "libcardvault_disk_faults.so")
PATHS, COUNTS = 512, 544
SIZE = COUNTS + 4 * len(KINDS) * len(CALLS)
KIND, CALL, AT, ERROR, HANG_MS, FIRED, RECORD, RECORDS = (PATHS + 4 * i for i in range(8))
HEAD = struct.Struct("<IIIIQ")

Record = collections.namedtuple("Record", "call path data begun offset")


class Steering:
    def __init__(self, first=""):
        """`first` as of wrapped.programs()."""
        folder = tempfile.mkdtemp(prefix="cardvault-disk-", dir=os.environ.get("CARDVAULT_TMP"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "steering")
        self.journal = path + ".journal"
        for name in (path, self.journal):
            with open(name, "wb") as file:
                file.truncate(SIZE if name == path else 0)
            os.chmod(name, 0o666)  # the daemon runs as another user
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        wrapped.programs({"LD_PRELOAD": LIBRARY, "CARDVAULT_DISK_STEERING": path}, first)

    def _set(self, at, value):
        struct.pack_into("<I", self._map, at, value)

    def _get(self, at):
        return struct.unpack_from("<I", self._map, at)[0]

    def watch(self, vault):
        """From the daemon's next start on its calls on this vault's files count."""
        for at, name in ((0, "data"), (256, "audit")):
            path = vault.path(name).encode()
            self._map[at:at + len(path) + 1] = path + b"\0"

    def counts(self):
        """(kind, call) -> how often, of what was called at all."""
        numbers = struct.unpack_from(f"<{len(KINDS) * len(CALLS)}I", self._map, COUNTS)
        return {(kind, call): numbers[i * len(CALLS) + j] for i, kind in enumerate(KINDS)
                for j, call in enumerate(CALLS) if numbers[i * len(CALLS) + j]}

    def forget_counts(self):
        self._map[COUNTS:SIZE] = bytes(SIZE - COUNTS)

    def arm(self, kind, call, at, error, hang_ms=0):
        """The at-th such call from now on fails with this errno, or hangs where it is 0."""
        self._set(AT, 0)
        for where, value in ((KIND, KINDS.index(kind)), (CALL, CALLS.index(call)), (ERROR, error),
                             (HANG_MS, hang_ms), (AT, at)):
            self._set(where, value)

    def disarm(self):
        self._set(AT, 0)

    @property
    def fired(self):
        return self._get(FIRED)

    # --- the journal ---

    def record(self, on):
        self._set(RECORD, int(on))

    @property
    def position(self):
        """How many calls were recorded so far."""
        return self._get(RECORDS)

    def read_journal(self):
        with open(self.journal, "rb") as file:
            data = file.read()
        records, at = [], 0
        while at < len(data):
            call, path_size, data_size, begun, offset = HEAD.unpack_from(data, at)
            at += HEAD.size
            path = data[at:at + path_size].decode()
            at += path_size
            records.append(Record(CALLS[call], path, data[at:at + data_size], begun, offset))
            at += data_size
        return records
