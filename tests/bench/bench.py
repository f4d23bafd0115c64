#!/usr/bin/python3
"""The benchmarks behind `./dev bench`: the module's raw rate, and the vault's over mutual TLS, in one
run on one machine, as ratios. Prints a table, or with --format json an array of

    {"name","connections","batch","ops_per_s","p50_us","p99_us","daemon_cpu_us_per_op",
     "raw_ops_per_s","ratio_to_raw"}

An op is a card (each item of a batch counts), a connection for "handshake"; latencies are of whole
requests. Rows named "..._open" ran on a fixed schedule and count from the due time; all others are
closed loops. The last rows are of verifying a published log. daemon_cpu_us_per_op is cardvaultd's and the gates' user and system time. "raw_..." rows
are one thread calling the module; "sync" is one append and fdatasync.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
import publication  # noqa: E402
import vault_fixture  # noqa: E402

PROGRAMS = os.environ.get("CARDVAULT_BENCH_PROGRAMS", os.path.join(ROOT, "build/release/tests/bench"))
SETTINGS = [  # what would stop a load that comes from one client
    "limits.rate_per_s=0",
    "limits.queue=65536",
    "reveal.client_per_hour=0",
    "reveal.client_per_day=0",
    "reveal.card_per_day=0",
    "otp.resend_s=0",
    "otp.sends=0",
    "attempts.tries=100",
    "attempts.subject_cap=0",
    "attempts.failures_per_hour=0",
]
# (name, mode, connections, batch): closed loops.
COMBINATIONS = [
    ("tokenize", "tokenize", 1, 1),
    ("tokenize", "tokenize", 16, 1),
    ("tokenize", "tokenize", 64, 1),
    ("detokenize", "detokenize", 1, 1),
    ("detokenize", "detokenize", 16, 1),
    ("detokenize", "detokenize", 64, 1),
    ("tokenize", "tokenize", 8, 100),
    ("detokenize", "detokenize", 8, 100),
    ("mixed", "mixed", 64, 1),
    ("otp_seal", "otp-seal", 1, 1),
    ("otp_seal", "otp-seal", 64, 1),
    ("otp_verify", "otp-verify", 1, 1),
    ("otp_verify", "otp-verify", 64, 1),
]
MAX_T = 4.5  # of Welch's t: beyond it two means differ
LEAK_US = 10  # of the control, which must be found
OPEN_SHARE = 0.8  # of the closed loop's rate
CLOSED = ("tokenize", 64, 1), ("detokenize", 64, 1)

# (what, row, figure, at least or at most, bound): PERFORMANCE targets on 2 cores.
TARGETS = [
    ("tokenize/s", ("tokenize", 64, 1), "ops_per_s", ">=", 20000),
    ("tokenize p99, on schedule (us)", ("tokenize_open", 64, 1), "p99_us", "<=", 5000),
    ("tokenize, share of raw", ("tokenize", 64, 1), "ratio_to_raw", ">=", 0.30),
    ("detokenize/s", ("detokenize", 64, 1), "ops_per_s", ">=", 25000),
    ("detokenize p99, on schedule (us)", ("detokenize_open", 64, 1), "p99_us", "<=", 3000),
    ("detokenize, share of raw", ("detokenize", 64, 1), "ratio_to_raw", ">=", 0.16),
    ("tokenize in batches, share of raw", ("tokenize", 8, 100), "ratio_to_raw", ">=", 0.60),
    ("detokenize in batches, share of raw", ("detokenize", 8, 100), "ratio_to_raw", ">=", 0.40),
    ("80 % reveals, ops/s", ("mixed", 64, 1), "ops_per_s", ">=", 18000),
    ("tokenize p50, 1 connection, in syncs", ("tokenize", 1, 1), "syncs", "<=", 2.5),
    ("detokenize p50, 1 connection, in syncs", ("detokenize", 1, 1), "syncs", "<=", 2.5),
    ("otp seal/s", ("otp_seal", 64, 1), "ops_per_s", ">=", 3000),
    ("otp verify/s (wrong codes)", ("otp_verify", 64, 1), "ops_per_s", ">=", 15000),
    ("otp seal p50, 1 connection, in syncs", ("otp_seal", 1, 1), "syncs", "<=", 4),
    ("otp verify p50, 1 connection, in syncs", ("otp_verify", 1, 1), "syncs", "<=", 3),
    ("new mTLS connections/s", ("handshake", 16, 1), "ops_per_s", ">=", 1000),
    ("covered by a checkpoint, at rest, p99 (us)", ("covered_at_rest", 1, 1), "p99_us", "<=", 1_000_000),
    ("covered by a checkpoint, under load, p99 (us)", ("covered", 64, 1), "p99_us", "<=", 1_000_000),
    ("gate memory per idle connection (bytes)", ("idle", None, 1), "gate_bytes", "<=", 30000),
]


MIN_VERIFIED = 1_000_000  # records of a log, for a second of one core


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(name, connections, batch, **figures):
    blank = dict.fromkeys(
        ("ops_per_s", "p50_us", "p99_us", "daemon_cpu_us_per_op", "raw_ops_per_s", "ratio_to_raw")
    )
    return {"name": name, "connections": connections, "batch": batch} | blank | figures


def run(program, *arguments, env=None):
    command = [os.path.join(PROGRAMS, program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        sys.exit(f"{program} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure_raw(vault, seconds):
    """On a copy of a SoftHSM token: a second login must not rewrite the daemon's (trap 1)."""
    with open(vault.path("vault.toml"), "rb") as file:
        hsm = tomllib.load(file)["hsm"]
    copied = None
    conf = hsm.get("softhsm_conf", "")
    try:
        if conf:
            with open(conf, encoding="utf-8") as file:
                text = file.read()
            tokens = re.search(r"^\s*directories\.tokendir\s*=\s*(\S+)", text, re.M).group(1)
            copied = tempfile.mkdtemp(prefix="cardvault-bench-")
            shutil.copytree(tokens, f"{copied}/tokens")
            conf = f"{copied}/softhsm2.conf"
            with open(conf, "w", encoding="utf-8") as file:
                file.write(text.replace(tokens, f"{copied}/tokens"))
        return run(
            "cardvault-raw", "--module", hsm["module"], "--token", hsm["token"],
            "--softhsm-conf", conf, "--init-args", hsm.get("init_args", ""),
            "--sync-dir", vault.dir, "--seconds", seconds,
        )  # fmt: skip
    finally:
        if copied:
            shutil.rmtree(copied, ignore_errors=True)


def pid_of(vault, name):
    with open(vault.path(f"{name}.pid"), encoding="ascii") as file:
        return file.read().strip()


class Bench:
    def __init__(self, vault, quick):
        self.vault, self.quick = vault, quick
        self.rows, self.raw, self.timings = [], {}, []
        self.seconds = 1.5 if quick else 6

    def load(self, mode, connections, batch=1, *options, seconds=None):
        vault = self.vault
        web, processor = vault.path("web"), vault.path("processor")
        return run(
            "cardvault-load", mode, "--url", vault.url("web"), "--ca", vault.path("ca.pem"),
            "--cert", f"{web}.pem", "--key", f"{web}.key", "--reveal-url", vault.url("processor"),
            "--reveal-cert", f"{processor}.pem", "--reveal-key", f"{processor}.key",
            "--connections", connections, "--batch", batch, "--seconds", seconds or self.seconds,
            "--warmup", 0.3 if self.quick else 1, "--cards", 5000 if self.quick else 20000,
            "--format", "json", *options,
        )  # fmt: skip

    def watched(self):
        return ["--watch", ",".join(pid_of(self.vault, n) for n in ("daemon", "gate-web", "gate-processor"))]

    def add(self, name, found, raw_rate=None):
        ratio = found["ops_per_s"] / raw_rate if raw_rate else None
        self.rows.append(row(
            name, found["connections"], found["batch"], ops_per_s=found["ops_per_s"],
            p50_us=found["p50_us"], p99_us=found["p99_us"],
            daemon_cpu_us_per_op=found["daemon_cpu_us_per_op"], raw_ops_per_s=raw_rate,
            ratio_to_raw=ratio and round(ratio, 3),
        ))  # fmt: skip
        if found["problems"]:
            say(f"  problems: {found['problems']}")
        if found["backlog"]:
            say(f"  never sent in time: {found['backlog']}")

    def everything(self):
        self.raw = measure_raw(self.vault, 1 if self.quick else 3)
        rates = {"tokenize": self.raw["tokenize_per_s"], "detokenize": self.raw["detokenize_per_s"]}
        # One in five of the mixed operations is a tokenize: the module's time for five, inverted.
        rates["mixed"] = 1 / (0.2 / rates["tokenize"] + 0.8 / rates["detokenize"])
        for name in ("tokenize", "detokenize"):
            self.rows.append(row(f"raw_{name}", 0, 1, ops_per_s=rates[name]))
        self.rows.append(row("sync", 0, 1, p50_us=self.raw["sync_p50_us"], p99_us=self.raw["sync_p99_us"]))
        for name, mode, connections, batch in COMBINATIONS:
            say(f"{name}, {connections} connections, batch {batch}")
            self.add(name, self.load(mode, connections, batch, *self.watched()), rates.get(name))
        for name, connections, batch in CLOSED:
            rate = round(self.find(name, connections, batch)["ops_per_s"] * OPEN_SHARE)
            say(f"{name} on schedule, {rate}/s")
            self.add(f"{name}_open", self.load(name, connections, batch, "--rate", rate, *self.watched()), rates[name])
        say("new connections")
        self.add("handshake", self.load("handshake", 16, 1, *self.watched()))
        self.covered()
        self.idle(1000 if self.quick else 10000)
        if not self.quick:
            self.timing()

    def covered(self):
        """How long after an event's time the first checkpoint with it was there for a reader."""
        for name, connections in (("covered_at_rest", 1), ("covered", 64)):
            say(f"how late checkpoints cover events, {name}")
            with publication.Watch(self.vault.path("audit")) as seen:
                if connections == 1:
                    for number in range(8 if self.quick else 60):
                        self.vault.request("web", "GET", f"/v1/tokens/tok_{number:026d}")
                        time.sleep(0.37)  # out of step with the publisher's second
                else:
                    self.load("tokenize", connections)
                    self.load("detokenize", connections)
                time.sleep(2)
            lags = seen.lags()
            self.rows.append(row(name, connections, 1, p50_us=round(1e6 * lags[len(lags) // 2]),
                                 p99_us=round(1e6 * lags[len(lags) * 99 // 100]),
                                 events=len(lags), longest_us=round(1e6 * lags[-1])))

    def idle(self, connections):
        say(f"{connections} idle connections")
        found = self.load("idle", connections, 1, "--watch", pid_of(self.vault, "gate-web"), seconds=0.5)
        if found["closed"] or found["problems"]:
            say(f"  ended by the gate: {found['closed']}, problems: {found['problems']}")
        self.rows.append(row("idle", connections, 1, ops_per_s=found["opened_per_s"]))
        self.gate_bytes = found["rss_per_connection"][0]

    def timing(self):
        """What the time of a refusal tells; the vault is stopped for it, and on its own afterwards."""
        self.vault.down()
        shim = os.path.join(PROGRAMS, "..", "hsm", "cardvault_shim.so")
        with open(self.vault.path("vault.toml"), "rb") as file:
            target = tomllib.load(file)["hsm"]["module"]
        for against, control in [("absent", 0), ("no-code", 0), ("used", 0), ("absent", LEAK_US)]:
            say(f"timing of otp/verify, against {against}{', leaky control' if control else ''}")
            options = ["--module", shim] if control else []
            environment = {"CARDVAULT_SHIM_TARGET": target, "CARDVAULT_SHIM_LEAK_US": str(control)}
            found = run("cardvault-timing", "--config", self.vault.path("vault.toml"), "--against",
                        against, "--samples", 100000, *options, env=os.environ | environment)
            self.timings.append(found | {"leak_us": control})

    def log(self):
        """How fast a published log is verified, and with how much memory."""
        say("making and verifying a log")
        with tempfile.TemporaryDirectory(prefix="cardvault-bench-") as folder:
            subprocess.run([os.path.join(PROGRAMS, "cardvault-audit-bench"), "make", folder,
                            "200000" if self.quick else "1000000"], check=True)
            self.verified = [{"name": "audit_verify"} | each
                             for each in run("cardvault-audit-bench", "verify", folder)]

    def find(self, name, connections, batch):
        for each in self.rows:
            if (each["name"], each["batch"]) == (name, batch) and connections in (None, each["connections"]):
                return each
        raise KeyError(name)

    def figure(self, found, name):
        if name == "syncs":
            return found["p50_us"] / self.raw["sync_p50_us"]
        return self.gate_bytes if name == "gate_bytes" else found[name]

    def print_table(self):
        names = ("name", "connections", "batch", "ops_per_s", "p50_us", "p99_us", "daemon_cpu_us_per_op", "ratio_to_raw")
        heads = ("", "conns", "batch", "ops/s", "p50 us", "p99 us", "CPU us/op", "of raw")
        print("{:<16}{:>7}{:>7}{:>11}{:>10}{:>10}{:>11}{:>9}".format(*heads))
        for each in self.rows:
            digits = {"daemon_cpu_us_per_op": 1, "ratio_to_raw": 3}
            cells = [
                "-" if each[n] is None else f"{each[n]:.{digits.get(n, 0)}f}" if isinstance(each[n], float) else each[n]
                for n in names
            ]
            print("{:<16}{:>7}{:>7}{:>11}{:>10}{:>10}{:>11}{:>9}".format(*cells))
        print("\nLatencies are of closed loops but for the rows ..._open, which count from the due time.")
        print(f"Module: {self.raw['model'].strip()}, one thread.\n")
        for what, key, figure, sense, bound in TARGETS:
            value = self.figure(self.find(*key), figure)
            met = value >= bound if sense == ">=" else value <= bound
            shown = f"{value:.2f}" if bound < 100 else f"{value:.0f}"
            print(f"{what:<42}{shown:>9}   target {sense} {bound:<7}{'' if met else ' MISSED'}")
        for name, connections in (("covered_at_rest", 1), ("covered", 64)):
            found = self.find(name, connections, 1)
            print(f"{name}: {found['events']} events, the last to be covered after {found['longest_us'] / 1e6:.2f} s")
        for found in self.verified:
            rate = found["events_per_cpu_s"]
            print(f"verifying a log of {found['events']} events, {found['threads']} threads: "
                  f"{found['events_per_s']} events/s, {rate} per second of CPU, {found['peak_mb']} MB, "
                  f"target >= {MIN_VERIFIED}{'' if rate >= MIN_VERIFIED else ' MISSED'}")
        for found in self.timings:
            leaky = found["leak_us"] != 0
            what = f"time of otp/verify, wrong code against {found['against']}{', leaky control' if leaky else ''}"
            met = (abs(found["t"]) >= MAX_T) == leaky
            print(f"{what}: {found['wrong_code_us']:.1f} us, {found['other_us']:.1f} us, |t| = {abs(found['t']):.2f} "
                  f"of {found['samples']}, target {'>=' if leaky else '<'} {MAX_T}{'' if met else ' MISSED'}")


def main():
    parser = argparse.ArgumentParser(description="Benchmarks a vault of its own against its module.")
    parser.add_argument("--quick", action="store_true", help="under a minute, less steady")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    options = parser.parse_args()
    say("starting a vault")
    vault = vault_fixture.shared(SETTINGS)
    bench = Bench(vault, options.quick)
    bench.everything()
    bench.log()
    if options.format == "json":
        print("[" + ",\n ".join(json.dumps(each) for each in bench.rows + bench.verified) + "]")
    else:
        bench.print_table()


if __name__ == "__main__":
    main()
