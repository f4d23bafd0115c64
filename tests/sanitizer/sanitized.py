"""Runs a test of a sanitizer build: sanitized.py BUILD COMMAND...

Whatever the command starts are the programs of BUILD (CARDVAULT_PROGRAMS), and what the sanitizers find in any
of its processes, however deep and whoever ignores its exit code, goes into one folder. When the command has
ended, the test fails if there is a report, and prints it.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FAILED = 99  # no exit code of a test or a program of ours
ADDR_NO_RANDOMIZE = 0x0040000


def options(folder):
    """The environment that has every sanitizer report into `folder`."""
    # print_suppressions would report that there is nothing to report
    common = f"log_path={folder}/report:print_suppressions=0"
    return {
        # whole stacks, so that LeakSanitizer can tell the modules' leaks from ours
        "ASAN_OPTIONS": f"{common}:fast_unwind_on_malloc=0",
        "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
        "LSAN_OPTIONS": f"{common}:suppressions={HERE}/lsan.supp",
        "TSAN_OPTIONS": f"{common}:suppressions={HERE}/tsan.supp",
    }


def reports(folder):
    """What processes have reported, by file."""
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            found[name] = file.read()
    return found


def run(build, command):
    """The exit code of the command, or FAILED if a process reported."""
    folder = tempfile.mkdtemp(prefix="cardvault-reports-", dir=os.environ.get("CARDVAULT_TMP"))
    os.chmod(folder, 0o1777)  # daemon and gates run as users of their own
    try:
        # GCC 12's runtimes want their shadow where a randomised mapping may lie already
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
        environment = os.environ | options(folder) | {"CARDVAULT_PROGRAMS": build, "CARDVAULT_SANITIZED": "1"}
        code = subprocess.run(command, env=environment, check=False).returncode
        found = reports(folder)
        for name, text in found.items():
            print(f"--- {name}\n{text}", file=sys.stderr)
        return FAILED if found else code
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
