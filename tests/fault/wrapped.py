"""Programs for vault_fixture of which cardvaultd is started with an environment of the test's own:
`./dev up` passes nothing on. Import it before vault_fixture, once per process.

    wrapped.programs({"LD_PRELOAD": "..."})

A value may use the shell's expansions; "$2" is the path of the vault's configuration.
"""

import atexit
import os
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "release")
REAL = os.environ.get("CARDVAULT_PROGRAMS") or BUILD


def programs(environment, first=""):
    """Makes the folder, whose path it returns, and has vault_fixture use it. `first` is a command that runs
    before each start of the daemon."""
    if "vault_fixture" in sys.modules:
        raise RuntimeError("vault_fixture knows its programs already")
    folder = tempfile.mkdtemp(prefix="cardvault-programs-", dir=os.environ.get("CARDVAULT_TMP"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    for name in ("cardvault", "cardvault-gate", "cardvault-audit"):
        os.symlink(os.path.join(REAL, name), os.path.join(folder, name))
    path = os.path.join(folder, "cardvaultd")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{first}\n")
        for name, value in environment.items():
            file.write(f'{name}="{value}"\nexport {name}\n')
        file.write(f"exec '{os.path.join(REAL, 'cardvaultd')}' \"$@\"\n")
    os.chmod(path, 0o755)
    os.environ["CARDVAULT_PROGRAMS"] = folder
    return folder
