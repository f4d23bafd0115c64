"""The queue of faults of tests/hsm/fault_queue.h, in a file that the shim in the daemon maps."""

import mmap
import struct

CALLS = ("C_Initialize", "C_Finalize", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo",
         "C_GetMechanismInfo", "C_OpenSession", "C_CloseSession", "C_Login", "C_FindObjectsInit",
         "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_CopyObject",
         "C_DestroyObject", "C_EncryptInit", "C_Encrypt", "C_DecryptInit", "C_Decrypt", "C_SignInit",
         "C_Sign", "C_GenerateRandom", "C_GenerateKey")
DAEMON_CALLS = CALLS[:-1]
ANSWER, DELAY, HANG, ABORT, SEGV, FLIP, SHORT, ZEROS = range(8)
FOREVER = 0xffffffff
ROWS = 64
HEAD = 16 + 8 * len(CALLS)
ROW = struct.Struct("<IIQII")


def fault(call, kind, value=0, skip=0, times=1):
    """Call `skip`+1 of this name goes wrong, and so do the next."""
    index = len(CALLS) if call == "*" else CALLS.index(call)
    return ROW.pack(index, kind, value, skip, times)


class Queue:
    """In a file of zeros that is there already."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), HEAD + ROWS * ROW.size)

    def _number(self, at):
        return struct.unpack_from("<I", self._map, at)[0]

    def add(self, *what, **more):
        """fault(...), after those that are there."""
        self.add_all(fault(*what, **more))

    def add_all(self, *faults):
        """One after the other; no call comes in between."""
        first = self._number(0)
        for row, one in enumerate(faults, first):
            at = HEAD + row % ROWS * ROW.size
            self._map[at:at + ROW.size] = one
        struct.pack_into("<I", self._map, 0, first + len(faults))  # last, as the module may be looking

    def clear(self):
        struct.pack_into("<I", self._map, 4, self._number(0))

    @property
    def hits(self):
        """Calls that went wrong so far."""
        return self._number(12)

    def calls(self, name):
        """How many there were, of all processes that the queue has had."""
        return struct.unpack_from("<Q", self._map, 16 + 8 * CALLS.index(name))[0]
