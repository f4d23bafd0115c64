#!/usr/bin/python3
"""Runs one vault and its gates from a folder, as systemd would: `./dev up`.

Makes the gates' listening sockets (TLS, vault, health) and passes them on as systemd does
(sd_listen_fds(3)), keeps the descriptors that the daemon stores over its crashes (sd_notify(3), FDSTORE=1;
as systemd does with FileDescriptorStoreMax=1), drops each process to its own uid when started as root, restarts what dies, keeps
DIR/daemon.pid and DIR/gate-NAME.pid right, and writes what they say into DIR/log. SIGTERM stops the
gates first, so that requests in flight still find the vault, then the vault.
"""

import argparse
import ctypes
import datetime
import fcntl
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
import tomllib

LEVELS = {"3": "error", "4": "warning", "5": "notice", "6": "info"}
PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
FIRST_BACKOFF_S, LONGEST_BACKOFF_S, STEADY_AFTER_S = 0.05, 2.0, 10.0
STOP_S = 20.0
MANY_FILES = 65536
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


class Process:
    """One program to be kept running; `sockets` are its inherited listeners, by name."""

    def __init__(self, name, argv, uid, sockets, pid_file):
        self.name, self.argv, self.uid = name, argv, uid
        self.sockets, self.pid_file = sockets, pid_file
        self.stored = {}  # descriptors that it gave into our keeping, by name
        self.pid, self.pipe, self.tail = 0, -1, b""
        self.backoff, self.started, self.due = FIRST_BACKOFF_S, 0.0, 0.0


def write_atomically(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def raise_limits():
    """10,000 connections need as many descriptors, and memory that is locked none of its own. Without
    CAP_SYS_RESOURCE, as far as it goes."""
    for kind, wanted in ((resource.RLIMIT_NOFILE, MANY_FILES), (resource.RLIMIT_MEMLOCK, resource.RLIM_INFINITY)):
        hard = resource.getrlimit(kind)[1]
        for limit in (wanted if wanted == resource.RLIM_INFINITY else max(hard, wanted), hard):
            try:
                resource.setrlimit(kind, (limit, limit))
                break
            except (ValueError, PermissionError):
                continue


def run_child(process, supervisor, log_end, notify_path):
    """In the child: sockets, limits, uid, exec. Never returns."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        null = os.open("/dev/null", os.O_RDONLY)
        # High first: the numbers 3.. may be in use by what is being copied.
        passed = [s.fileno() for s in process.sockets.values()] + list(process.stored.values())
        held = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in passed]
        out = fcntl.fcntl(log_end, fcntl.F_DUPFD, 100)
        for target, source in [(0, null), (1, out), (2, out)]:
            os.dup2(source, target)
        for index, source in enumerate(held):
            os.dup2(source, 3 + index)
        os.closerange(3 + len(held), 65536)
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        environment |= {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        if held:
            environment["LISTEN_PID"] = str(os.getpid())
            environment["LISTEN_FDS"] = str(len(held))
            environment["LISTEN_FDNAMES"] = ":".join([*process.sockets, *process.stored])
        environment["NOTIFY_SOCKET"] = notify_path
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        raise_limits()
        os.umask(0o077)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(process.uid, process.uid, process.uid)
            os.setresuid(process.uid, process.uid, process.uid)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # after setuid, which clears it
        if os.getppid() != supervisor:
            os._exit(1)
        os.execve(process.argv[0], process.argv, environment)
    except BaseException as problem:  # whatever it is, this process must end here
        os.write(2, f"<3>cannot start {process.argv[0]}: {problem}\n".encode())
        os._exit(127)


class Supervisor:
    def __init__(self, folder, processes, log):
        self.folder, self.processes, self.log_fd = folder, processes, log
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.notify_path = f"{folder}/run/notify.sock"
        self.notify = listen_notify(self.notify_path)
        self.selector.register(self.notify, selectors.EVENT_READ, self.notify)
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.selector.register(self.wake_read, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        signal.signal(signal.SIGHUP, self.reload)

    def stop(self, *_):
        self.stopping = True

    def reload(self, *_):
        for process in self.processes:
            if process.pid:
                os.kill(process.pid, signal.SIGHUP)

    def log(self, name, text):
        level = "info"
        if len(text) > 3 and text[0] == "<" and text[2] == ">":
            level, text = LEVELS.get(text[1], "info"), text[3:]
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        try:
            os.write(self.log_fd, f"{now[:-6]}Z {name} {level}: {text}\n".encode())
        except OSError:
            pass  # a full disk must not stop the vault's restarts

    def start(self, process):
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        supervisor = os.getpid()
        pid = os.fork()
        if pid == 0:
            run_child(process, supervisor, write_end, self.notify_path)
        os.close(write_end)
        os.set_blocking(read_end, False)
        process.pid, process.pipe, process.started = pid, read_end, time.monotonic()
        self.selector.register(read_end, selectors.EVENT_READ, process)
        write_atomically(process.pid_file, f"{pid}\n")

    def read(self, process):
        try:
            data = os.read(process.pipe, 65536)
        except BlockingIOError:
            return
        if not data:
            self.selector.unregister(process.pipe)
            os.close(process.pipe)
            process.pipe = -1
            return
        *lines, process.tail = (process.tail + data).split(b"\n")
        for line in lines:
            self.log(process.name, line.decode("utf-8", "replace"))
        process.tail = process.tail[-65536:]

    def take_notices(self):
        """FDSTORE=1 and FDSTOREREMOVE=1 of processes of ours; everything else is dropped."""
        while True:
            try:
                text, control, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(12) + socket.CMSG_SPACE(64))
            except BlockingIOError:
                return
            self.take_notice(text, control)

    def take_notice(self, text, control):
        sender, received = 0, []
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                sender = struct.unpack("3i", data[:12])[0]
            elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                count = len(data) // 4
                received = list(struct.unpack(f"{count}i", data[:4 * count]))
        words = dict(line.split("=", 1) for line in text.decode("utf-8", "replace").splitlines() if "=" in line)
        process = next((p for p in self.processes if p.pid and p.pid == sender), None)
        name = words.get("FDNAME", "stored")
        if process and (words.get("FDSTORE") or words.get("FDSTOREREMOVE")) == "1":
            for fd in [process.stored.pop(name)] if name in process.stored else []:
                os.close(fd)
            if words.get("FDSTORE") == "1" and received and not process.stored:
                process.stored[name] = received.pop()
                os.set_inheritable(process.stored[name], False)
        for fd in received:
            os.close(fd)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for process in self.processes:
                if process.pid == pid:
                    self.ended(process, status)

    def ended(self, process, status):
        self.take_notices()  # its last ones
        while process.pipe >= 0:  # its last words, which usually say why
            before = process.pipe, process.tail
            self.read(process)
            if (process.pipe, process.tail) == before:
                self.selector.unregister(process.pipe)
                os.close(process.pipe)
                process.pipe = -1
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {-code}" if code < 0 else f"status {code}"
        self.log("supervisor", f"<{5 if self.stopping else 4}>{process.name} ended with {how}")
        process.pid = 0
        if time.monotonic() - process.started > STEADY_AFTER_S:
            process.backoff = FIRST_BACKOFF_S
        process.due = time.monotonic() + process.backoff
        process.backoff = min(process.backoff * 2, LONGEST_BACKOFF_S)

    def wait(self, timeout):
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                try:
                    os.read(self.wake_read, 4096)
                except BlockingIOError:
                    pass
            elif key.data is self.notify:
                self.take_notices()
            elif key.data.pipe == key.fd:
                self.read(key.data)
        self.reap()

    def run(self):
        while not self.stopping:
            now = time.monotonic()
            for process in self.processes:
                if process.pid == 0 and now >= process.due:
                    self.start(process)
            waiting = [p.due - now for p in self.processes if p.pid == 0]
            self.wait(max(0.0, min(waiting)) if waiting else None)
        gates = [p for p in self.processes if p.sockets]
        for process in gates:
            for listener in process.sockets.values():
                listener.close()
        self.end(gates)
        self.end([p for p in self.processes if not p.sockets])
        for process in self.processes:
            os.unlink(process.pid_file)

    def end(self, processes):
        for number, limit in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, 5.0)):
            for process in processes:
                if process.pid:
                    os.kill(process.pid, number)
            deadline = time.monotonic() + limit
            while any(p.pid for p in processes) and time.monotonic() < deadline:
                self.wait(max(0.0, deadline - time.monotonic()))


def listen_tcp(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as problem:
        sys.exit(f"port {port} of 127.0.0.1 is not free ({problem.strerror}): choose others with --port")
    listener.listen(4096)
    return listener


def listen_unix(path, uid, mode):
    if len(os.fsencode(path)) > 107:  # sun_path, unix(7)
        sys.exit(f"{path}: too long for a Unix socket (107 bytes): choose a folder with a shorter path")
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, mode)
    if os.geteuid() == 0:
        os.chown(path, uid, uid)
    listener.listen(64)
    return listener


def listen_notify(path):
    if os.path.lexists(path):
        os.unlink(path)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    notify.bind(path)
    os.chmod(path, 0o666)  # whose word it is, the kernel says
    return notify


def processes_of(folder, programs, port, daemon_uid):
    with open(f"{folder}/vault.toml", "rb") as file:
        config = tomllib.load(file)
    found = []
    for index, gate in enumerate(config["gate"]):
        name = gate["name"]
        sockets = {
            "tls": listen_tcp(port + index),
            "vault": listen_unix(gate["socket"], daemon_uid, 0o600),
            "health": listen_unix(f"{folder}/run/{name}-health.sock", os.geteuid(), 0o600),
        }
        argv = [f"{programs}/cardvault-gate", "--config", f"{folder}/gate-{name}.toml"]
        found.append(Process(f"gate-{name}", argv, gate["uid"], sockets, f"{folder}/gate-{name}.pid"))
        write_atomically(f"{folder}/{name}.url", f"https://127.0.0.1:{port + index}\n")
        if index == 0:
            write_atomically(f"{folder}/url", f"https://127.0.0.1:{port}\n")
    argv = [f"{programs}/cardvaultd", "--config", f"{folder}/vault.toml"]
    return [Process("cardvaultd", argv, daemon_uid, {}, f"{folder}/daemon.pid")] + found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dir", help="a folder made by `./dev up`")
    parser.add_argument("--programs", required=True, help="where cardvaultd and cardvault-gate are")
    parser.add_argument("--port", type=int, default=9443, help="of the first gate; the others follow")
    parser.add_argument("--daemon-uid", type=int, default=os.geteuid())
    arguments = parser.parse_args()
    folder = os.path.realpath(arguments.dir)

    lock = os.open(f"{folder}/supervisor.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"a vault already runs in {folder}: stop it with ./dev down {folder}")
    processes = processes_of(folder, arguments.programs, arguments.port, arguments.daemon_uid)
    log = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    # From here in the background: whoever started this knows that the sockets exist.
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    supervisor = Supervisor(folder, processes, log)
    supervisor.log("supervisor", "<5>started")
    supervisor.run()
    supervisor.log("supervisor", "<5>stopped")
    os.unlink(f"{folder}/supervisor.pid")


if __name__ == "__main__":
    main()
