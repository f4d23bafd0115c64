"""pkcs11-tool on a copy of a vault's live token: what is looked at is as on the disk, and what is changed is the
copy."""

import contextlib
import os
import shutil
import subprocess
import tempfile

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@contextlib.contextmanager
def token_copy(vault):
    """The copy's folder, and a function that runs pkcs11-tool on it, logged in: its stdout."""
    with open(vault.path("pin"), encoding="ascii") as file:
        pin = file.read().strip()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(vault.path("token"), f"{folder}/token")
        subprocess.run(["chmod", "-R", "u+w", f"{folder}/token"], check=True)
        with open(f"{folder}/conf", "w", encoding="ascii") as conf:
            conf.write(f"directories.tokendir = {folder}/token\nobjectstore.backend = file\nlog.level = ERROR\n")

        def tool(*arguments):
            done = subprocess.run(["pkcs11-tool", "--module", MODULE, "--login", "--pin", pin, *arguments],
                                  env=os.environ | {"SOFTHSM2_CONF": f"{folder}/conf"}, capture_output=True, timeout=60)
            if done.returncode != 0:
                raise AssertionError(f"pkcs11-tool {arguments}: {done.returncode} {done.stderr.decode()}")
            return done.stdout

        yield f"{folder}/token", tool
