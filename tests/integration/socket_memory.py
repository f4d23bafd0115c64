"""What the kernel keeps for a local port's TCP connections, as ss(8) shows it: sock_diag(7)."""

import socket
import struct

SOCK_DIAG_BY_FAMILY, NETLINK_SOCK_DIAG, DUMP = 20, 4, 0x301
ERROR = 2  # NLMSG_ERROR
SKMEMINFO = 7  # INET_DIAG_SKMEMINFO
ESTABLISHED = 1 << 1
HEADER, ADDRESSES = struct.Struct("=IHHII"), struct.Struct("=48x")
MESSAGE = 4 + ADDRESSES.size + 5 * 4  # inet_diag_msg


def _attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:size]
        data = data[(size + 3) & ~3:]


def of_port(port):
    """(received and not taken, sent and not acknowledged) of each connection to it, in bytes, with the
    kernel's own overhead. OSError where the kernel can't tell."""
    request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 1 << (SKMEMINFO - 1), ESTABLISHED)
    request += ADDRESSES.pack()
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asking:
        asking.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, DUMP, 0, 0) + request)
        while True:
            answer = asking.recv(1 << 20)
            while answer:
                size, kind = HEADER.unpack_from(answer)[:2]
                if kind == ERROR:
                    raise OSError("no sock_diag(7) of TCP in this kernel")
                if kind != SOCK_DIAG_BY_FAMILY:  # NLMSG_DONE
                    return found
                message, answer = answer[HEADER.size:size], answer[(size + 3) & ~3:]
                if struct.unpack_from("!H", message, 4)[0] != port:
                    continue
                memory = dict(_attributes(message[MESSAGE:]))[SKMEMINFO]
                received, _, _, _, _, queued = struct.unpack_from("=6I", memory)
                found.append((received, queued))
