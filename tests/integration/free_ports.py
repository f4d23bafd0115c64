"""Ports of the loopback that no other test takes, though they run side by side."""

import random
import socket

_reserved = []  # as long as this process lives: its vaults go down and up again on their ports


def free_ports(count):
    """The first of `count` consecutive ports that nobody listens on, and no other test will."""
    for _ in range(200):
        first = random.randrange(20000, 31000, count)
        reserved, probes = socket.socket(socket.AF_UNIX), []
        try:
            reserved.bind(f"\0cardvault-test-ports-{first}")
            for port in range(first, first + count):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
            _reserved.append(reserved)
            return first
        except OSError:
            reserved.close()
        finally:
            for probe in probes:
                probe.close()
    raise RuntimeError("no free ports between 20000 and 31000")
