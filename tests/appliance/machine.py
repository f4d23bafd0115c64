"""A Debian made by debootstrap, booted by systemd-nspawn with its real systemd, and the namespaces around it.

Everything is below one folder and in network namespaces of this module's own; nothing of the host's
network is touched. Needs root.
"""

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000
PACKAGES = ["systemd", "systemd-sysv", "dbus", "softhsm2", "openssl", "iproute2", "nftables", "procps", "libnss-systemd"]

_libc = ctypes.CDLL(None, use_errno=True)


def run(*command, check=True, timeout=600, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def mirror():
    """Where this machine's apt takes Debian from."""
    sites = run("apt-get", "indextargets", "--format", "$(REPO_URI)|$(CODENAME)|$(COMPONENT)", "Created-By: Packages")
    for line in sites.stdout.splitlines():
        uri, codename, component = line.split("|")
        if codename == "bookworm" and component == "main":
            return uri
    raise RuntimeError("apt knows no source of Debian 12 (bookworm main): add one to /etc/apt/sources.list")


def debian(folder, package):
    """A Debian with what `package` depends on, made once; copies are cheap. Returns its folder."""
    depends = run("dpkg-deb", "-f", package, "Depends").stdout
    names = sorted({d.split("|")[0].split("(")[0].strip() for d in depends.split(",")} | set(PACKAGES))
    key = hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
    base = os.path.join(folder, "debian-" + key)
    if not os.path.exists(base):
        part = base + ".part"
        shutil.rmtree(part, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=" + ",".join(names), "bookworm", part, mirror(), timeout=1800)
        os.rename(part, base)
    return base


@contextlib.contextmanager
def inside(namespace):
    """This thread, and threads it starts, are in that network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + namespace)
        yield
    finally:
        if _libc.setns(home, CLONE_NEWNET) != 0:
            os._exit(1)  # nothing may go on in a network that it doesn't expect
        os.close(home)
        os.close(there)


class Network:
    """A namespace on one cable to the machine."""

    def __init__(self, name, address, machine_address, prefix):
        self.name, self.namespace = name, f"cardvault-{os.getpid()}-{name}"
        self.address, self.machine_address, self.prefix = address, machine_address, prefix
        run("ip", "netns", "add", self.namespace)

    def plug_into(self, machine):
        near, far = f"cv{os.getpid() % 100000}{self.name[0]}", "to-" + self.name
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(machine.pid))
        run("ip", "link", "set", near, "netns", self.namespace)
        inner = ["ip", "-n", self.namespace]
        for command in (["addr", "add", f"{self.address}/{self.prefix}", "dev", near], ["link", "set", near, "up"],
                        ["link", "set", "lo", "up"], ["route", "add", "default", "via", self.machine_address]):
            run(*inner, *command)
        machine.run("ip", "addr", "add", f"{self.machine_address}/{self.prefix}", "dev", far)
        machine.run("ip", "link", "set", far, "up")

    def close(self):
        run("ip", "netns", "del", self.namespace, check=False)


class Machine:
    def __init__(self, base, root):
        self.root, self.nspawn, self.pid = root, None, None
        shutil.rmtree(root, ignore_errors=True)
        run("cp", "-a", "--reflink=auto", base, root)

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def prepare(self, *command, **options):
        """Runs in the machine while it is off."""
        return run("systemd-nspawn", "-q", "-D", self.root, "--register=no", "--keep-unit", "--as-pid2", *command, **options)

    def boot(self, timeout=120):
        self.console = open(self.root + ".console", "ab")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "-D", self.root, "-b", "--private-network", "--register=no", "--keep-unit",
             # nspawn's own filter knows these not; a real machine has none
             "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, start_new_session=True)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.nspawn.poll() is not None:
                raise RuntimeError("the machine did not start: see " + self.root + ".console")
            children = run("pgrep", "-P", str(self.nspawn.pid), check=False).stdout.split()
            if children:
                self.pid = int(children[0])
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return state
            time.sleep(0.3)
        raise RuntimeError("the machine did not finish booting: see " + self.root + ".console")

    def command(self, *command):
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "--", *command]

    def run(self, *command, check=True, timeout=120, **options):
        return run(*self.command(*command), check=check, timeout=timeout, **options)

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False).stdout

    def power_off(self, timeout=90):
        if self.nspawn is None:
            return
        os.kill(self.pid, signal.SIGRTMIN + 4)  # systemd(1): poweroff.target
        try:
            self.nspawn.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        self.nspawn = None
        self.console.close()

    def kill(self):
        """As a power cut: no process is told."""
        os.kill(self.pid, signal.SIGKILL)
        self.nspawn.wait(30)
        self.nspawn = None
        self.console.close()
