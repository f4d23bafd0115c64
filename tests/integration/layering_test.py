#!/usr/bin/python3
"""Checks that the house is built as ARCHITECTURE.md says: rooms, includes, and who may do what.

    layering_test.py [unittest arguments]     checks the tree this file stands in, and itself
"""

import os
import re
import tempfile
import unittest

TOP = {"CMakeLists.txt", "vault", "hsm", "protocol", "provisioning", "tests", "systemd", "README.md",
       "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", "CMakePresets.json", "docs", "dev"}
NOT_OURS = {"build", "__pycache__"}  # made by building and testing, never committed

# Which rooms a room may include, beside itself. The four in the middle don't know one another,
# except that the store writes the audit log.
MAY_INCLUDE = {
    "vault/base": set(),
    # what a process gives up: Landlock and seccomp, the same for daemon and gates
    "vault/sandbox": {"vault/base"},
    "vault/core": {"vault/base"},
    "vault/audit": {"vault/base", "vault/core"},
    "vault/seal": {"vault/base", "vault/core"},
    # The clients' own CA: the seal room's OpenSSL owners. Signs through the port.
    "vault/pki": {"vault/base", "vault/core", "vault/seal"},
    "vault/store": {"vault/base", "vault/core", "vault/audit"},
    "hsm": {"vault/base", "vault/core"},
    "protocol/wire": {"vault/base", "vault/core"},
    "protocol/gate": {"vault/base", "vault/sandbox", "vault/core", "protocol/wire"},
    "protocol/client": {"vault/base", "vault/core", "protocol/wire"},
    # What custodians know and sign: actions and the quorum, transcripts, shares. The daemon checks
    # it, the tool makes it, both by the same code; the seal room's owners of OpenSSL's objects.
    "vault/custody": {"vault/base", "vault/core", "vault/seal"},
    "vault/daemon": {"vault/base", "vault/sandbox", "vault/core", "vault/audit", "vault/seal", "vault/custody", "vault/pki",
                     "vault/store", "hsm", "protocol/wire"},
    # Custodians' keys and media, plans: the seal room's key derivation, the hsm room for
    # smartcards. No command line, no vault.
    "provisioning/custody": {"vault/base", "vault/core", "vault/seal", "vault/custody", "hsm"},
    # What an assessor runs anywhere: nothing of the HSM, the store or the configuration.
    # The custody room for the quorum's signatures under a restore; mirrors read the log through
    # the auditors' gate, as its clients.
    "provisioning/auditor": {"vault/base", "vault/core", "vault/audit", "vault/custody",
                             "protocol/client"},
    "provisioning": {"provisioning/auditor", "provisioning/custody",
                     "vault/base", "vault/core", "vault/audit", "vault/seal", "vault/custody",
                     "vault/store",
                     "vault/sandbox",  # the tool holds PINs and shares as well
                     "vault/daemon",  # on a stopped vault the tool runs the same acts in process
                     "hsm",
                     "protocol/wire", "protocol/client"},
}

TLS_ROOMS = {"protocol/gate", "protocol/client"}
# Foreign headers, and the only rooms that may include them.
FOREIGN = [
    (re.compile(r"^(p11-kit/|pkcs11)"), {"hsm"}),
    (re.compile(r"^sqlite3"), {"vault/store"}),
    (re.compile(r"^argon2"), {"vault/seal"}),
    (re.compile(r"^(openssl/(ssl|tls1|bio)\.h|boost/asio/ssl)"), TLS_ROOMS),
    (re.compile(r"^boost/beast"), TLS_ROOMS),
]
BEAST = re.compile(r"^boost/beast")
MAX_BEAST_UNITS = 4  # it takes longer to compile than all else together

# The only files that open a secret (SecretText, Pan, …). A file is added here after a review of
# where the text goes from there.
EXPOSE_FILES = {
    "hsm/connection.cc",               # the PIN, into C_Login
    "hsm/key_maker.cc",                # the PIN, into C_Login
    "hsm/signing_card.cc",             # a card's PIN, into C_Login
    "hsm/token_maker.cc",              # PINs, into C_InitToken and C_InitPIN
    "protocol/gate/json_answer.cc",    # a revealed PAN, into the answer's wiped buffer
    "protocol/wire/answer_codec.cc",   # into frames, which are wiped
    "protocol/wire/request_codec.cc",  # into frames, which are wiped
    "provisioning/acts.cc",            # a customer's identifier, from the terminal into a frame
    "provisioning/custody/key_file.cc",    # a passphrase, into scrypt
    "provisioning/custody/share_file.cc",  # a share as text, under its custodian's key
    "provisioning/custody/terminal.cc",    # an answer typed with echo, which is no secret
    "provisioning/ceremony_actions.cc",  # a passphrase, into a custodian's key file
    "provisioning/ceremony_delivery.cc",  # a share, onto the custodian's medium or terminal
    "provisioning/ceremony_desk.cc",   # a passphrase, into the custodian's key file
    "provisioning/ceremony_run.cc",    # fresh PINs, into shares
    "provisioning/ceremony_token.cc",  # fresh PINs, into the token
    "provisioning/log_acts.cc",        # a card's number and an identifier, from stdin into frames
    "provisioning/restore_stage.cc",   # a rebuilt PIN, into the file that only its reader may open
    "provisioning/secret_renewal.cc",  # fresh PINs, into shares and onto the token
    "provisioning/secret_renewal_files.cc",  # the fresh PIN, into the file that only its reader may open
    "provisioning/new_keys.cc",        # fresh PINs, into files that only their reader may open
    "vault/base/secret.h",             # clone()
    "vault/core/card_check.cc",        # PAN and customer of a request, to be checked
    "vault/core/cards.cc",             # a customer's identifier, into its fingerprint
    "vault/core/index_fingerprints.cc",  # PAN and identifier, into their fingerprints
    "vault/core/detokenize_apply.cc",  # the decrypted PAN, into the answer
    "vault/core/otp_cancel.cc",        # a subject's identifier, into its fingerprint
    "vault/core/otp_seal.cc",          # a fresh code, into its MAC and claims; subject likewise
    "vault/core/otp_verify.cc",        # a code into its MAC; subject into fingerprint and receipt
    "vault/core/sealed_card.cc",       # the decrypted PAN, into claims for its recipient
    "vault/core/record.cc",            # the PAN, into a record's plaintext and its fingerprint
    "vault/core/secret_put.cc",        # a new password, into Argon2id
    "vault/core/secret_remove.cc",     # a subject's identifier, into its fingerprint
    "vault/core/secret_verify.cc",     # a password into Argon2id; subject into its receipt
    "vault/core/tokenize.cc",          # a customer's identifier, into fingerprint and record
    "vault/daemon/admin_cards.cc",     # the leading digits of a BIN lookup
    "vault/daemon/admin_subjects.cc",  # a customer's identifier, into its fingerprint
}

SOURCE = (".h", ".cc")
TEXT = SOURCE + (".py", ".sh", ".txt", ".cmake")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
EXPOSE = re.compile(r"(?:\.|->)\s*expose\s*\(")
RECEIPT_ISSUER = re.compile(r"\bclass\s+ReceiptIssuer\b(?!\s*;)")
RECEIPT_FRIEND = re.compile(r"\bfriend\s+class\s+ReceiptIssuer\s*;")
AUTHORIZED_MADE = re.compile(r"\bAuthorized\s*(?:<[^;(){}]*>)?\s*[({]")
AUTHORIZED_DEFINED = re.compile(r"\bclass\s+Authorized\b")
POLICY = {"vault/core/policy.h", "vault/core/policy.cc"}
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
# What a function gives to its caller alone, and a loop over what that holds: until C++23's P2718, which GCC 15
# is the first to know, `for (x : *f())` lets go of what f() returned before its first round.
OWNER_RETURNED = re.compile(r"\b(?:shared_ptr|unique_ptr|optional|expected|Result)<[^;{}()]*>\s+(?:\w+::)*(\w+)\(")
LOOP_OVER_HELD = re.compile(r"\bfor \([^{}]*?\s:\s+(?:\*[\w.:>-]*?(\w+)\([^()]*\)\)|[\w.:>-]*?(\w+)\([^()]*\)->)")
GATE_STRANGERS = re.compile(r"pkcs#?11|\bp11|sqlite|\bSQL\b|cardvault_(?:hsm|store|daemon)", re.IGNORECASE)


def room_of(path):
    """The room a file belongs to: "vault/core", "hsm", "tests", …; "" at the top."""
    parts = path.split("/")
    if len(parts) == 1:
        return ""
    if parts[0] in ("vault", "protocol") and len(parts) > 2:
        return "/".join(parts[:2])
    if path.startswith(("provisioning/custody/", "provisioning/auditor/")):
        return "/".join(parts[:2])
    return parts[0]


class Tree:
    """Every file of ours below a root: path to text, and what the sources include."""

    def __init__(self, root):
        self.top = [name for name in os.listdir(root) if name not in NOT_OURS]
        self.texts = {}
        self.paths = []
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in NOT_OURS and not f.startswith(".")]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), root)
                self.paths.append(path)
                if path.endswith(TEXT) or path == "dev":
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        self.texts[path] = file.read()
        self.sources = {p: t for p, t in self.texts.items() if p.endswith(SOURCE)}
        self.product = {p: t for p, t in self.sources.items() if room_of(p) != "tests"}
        self.code = {p: COMMENT.sub("", t) for p, t in self.sources.items()}
        # (own, foreign) includes; quotes are for files of the tree, by their path from its root.
        self.own = {p: [m[0] for m in INCLUDE.findall(t) if m[0]] for p, t in self.code.items()}
        self.foreign = {p: [m[1] for m in INCLUDE.findall(t) if m[1]] for p, t in self.code.items()}

    def reaches(self, path, pattern, seen=None):
        """True when a file includes a matching foreign header, itself or through headers of ours."""
        seen = set() if seen is None else seen
        if path in seen or path not in self.sources:
            return False
        seen.add(path)
        return (any(pattern.search(h) for h in self.foreign[path])
                or any(self.reaches(h, pattern, seen) for h in self.own[path]))


def check_places(tree):
    for name in tree.top:
        if name not in TOP and not name.startswith("."):
            yield f"{name}: nothing of this name belongs at the top"
    for path in tree.product:
        if room_of(path) not in MAY_INCLUDE:
            yield f"{path}: a source outside every room"
    for path in tree.paths:
        if EMPTY_NAMES & set(re.split(r"[_.\-]", os.path.basename(path).lower())):
            yield f"{path}: the name says nothing about what is inside"


def check_includes(tree):
    for path in tree.product:
        room = room_of(path)
        for header in tree.own[path]:
            other = room_of(header)
            if header not in tree.sources:
                yield f"{path}: {header} is no path from the root of the tree"
            elif other != room and other not in MAY_INCLUDE.get(room, set()):
                yield f"{path}: {room} may not include {other}"
        for header in tree.foreign[path]:
            for pattern, rooms in FOREIGN:
                if pattern.search(header) and room not in rooms:
                    yield f"{path}: <{header}> belongs in {' and '.join(sorted(rooms))} only"
    units = sorted(p for p in tree.product if p.endswith(".cc") and tree.reaches(p, BEAST))
    if len(units) > MAX_BEAST_UNITS:
        yield f"{len(units)} translation units include Beast: {', '.join(units)}"


def check_gate(tree):
    for path, text in tree.texts.items():
        if room_of(path) == "protocol/gate":
            code = tree.code.get(path, re.sub(r"#[^\n]*", "", text))
            found = GATE_STRANGERS.search(code)
            if found:
                yield f"{path}: the gate knows nothing of {found.group()}"


def check_rights(tree):
    for path in tree.product:
        code = tree.code[path]
        if EXPOSE.search(code) and path not in EXPOSE_FILES:
            yield f"{path}: opens a secret and is not on the list"
        issuer = RECEIPT_ISSUER.search(RECEIPT_FRIEND.sub("", code))
        if issuer and room_of(path) != "vault/store":
            yield f"{path}: only vault/store defines ReceiptIssuer"
        if path not in POLICY and (AUTHORIZED_MADE.search(code) or AUTHORIZED_DEFINED.search(code)):
            yield f"{path}: only the policy makes an Authorized<T>"
    for path in EXPOSE_FILES:
        if path in tree.product and not re.search(r"\bexpose\s*\(", tree.code[path]):
            yield f"{path}: is on the list of files that open secrets, but opens none"


def check_loops(tree):
    owners = {name for code in tree.code.values() for name in OWNER_RETURNED.findall(code)}
    for path, code in tree.code.items():
        for names in LOOP_OVER_HELD.findall(code):
            if owners & set(names):
                yield f"{path}: a loop over what {''.join(names)}() returned, which is gone by then"


def check_unfinished(tree):
    for path, text in tree.texts.items():
        if UNFINISHED.search(text):
            yield f"{path}: something is left to be done"


def problems(root):
    tree = Tree(root)
    checks = (check_places, check_includes, check_gate, check_rights, check_loops, check_unfinished)
    return sorted({problem for check in checks for problem in check(tree)})


class Layering(unittest.TestCase):
    def test_the_house_is_built_as_designed(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.assertEqual(problems(root), [])


GOOD = {
    "CMakeLists.txt": "", ".gitignore": "", "dev": "#!/bin/sh\n", "build/made.cc": "// TO" "DO\n",
    "vault/base/secret.h": "std::string_view expose() const;\n",
    "vault/core/policy.h": '#include "vault/base/secret.h"\n'
                           "template <class T> class Authorized { Authorized(T t); };\n",
    "vault/core/rows.h": "std::shared_ptr<const std::vector<Row>> rows() const;\n",
    "vault/core/loop.cc": "for (const auto rows = vault.rows(); const Row& row : *rows) {}\n"
                          "for (const auto& node : *list->as_array()) {}\n",
    "vault/core/event.h": "class Receipt { friend class ReceiptIssuer; };\n",
    "vault/core/record.cc": "f(pan.expose());  // see secret.expose()\n",
    "vault/core/use.h": '#include "vault/core/policy.h"\nvoid f(Authorized<int> request);\n',
    "vault/audit/tree.h": '#include "vault/core/event.h"\n',
    "vault/store/store.cc": '#include "vault/audit/tree.h"\n#include <sqlite3.h>\n'
                            "class ReceiptIssuer {};\n",
    "hsm/module.h": "#include <p11-kit/p11-kit.h>\n",
    "protocol/wire/frame.h": '#include "vault/core/event.h"\n',
    "protocol/gate/tls.h": "#include <boost/beast/core.hpp>\n#include <openssl/ssl.h>\n"
                           "// knows nothing of SQL\n",
    "protocol/gate/main.cc": '#include "protocol/gate/tls.h"\n#include "protocol/wire/frame.h"\n',
    "vault/daemon/main.cc": '#include "hsm/module.h"\n#include "protocol/wire/frame.h"\n'
                            '#include "vault/store/store.h"\n',
    "vault/store/store.h": "",
    "provisioning/main.cc": '#include "hsm/module.h"\n',
    "tests/unit/core/pan_test.cc": "f(pan.expose());\n#include <p11-kit/p11-kit.h>\n",
}

# A change to the good tree, and what has to be said about it.
BAD = {
    "stranger at the top": ({"scripts/run.sh": ""}, "scripts: nothing of this name"),
    "room of its own": ({"vault/extra/a.cc": ""}, "vault/extra/a.cc: a source outside"),
    "source between the rooms": ({"protocol/a.cc": ""}, "protocol/a.cc: a source outside"),
    "empty name": ({"hsm/key_util.h": ""}, "hsm/key_util.h: the name says nothing"),
    "up": ({"vault/base/a.cc": '#include "vault/core/event.h"\n'},
           "vault/base may not include vault/core"),
    "core to the middle": ({"vault/core/a.cc": '#include "hsm/module.h"\n'},
                           "vault/core may not include hsm"),
    "across the middle": ({"vault/audit/a.cc": '#include "vault/store/store.h"\n'},
                          "vault/audit may not include vault/store"),
    "hsm to the wire": ({"hsm/a.cc": '#include "protocol/wire/frame.h"\n'},
                        "hsm may not include protocol/wire"),
    "gate to the store": ({"protocol/gate/a.cc": '#include "vault/store/store.h"\n'},
                          "protocol/gate may not include vault/store"),
    "daemon to the gate": ({"vault/daemon/a.cc": '#include "protocol/gate/tls.h"\n'},
                           "vault/daemon may not include protocol/gate"),
    "not from the root": ({"hsm/a.cc": '#include "module.h"\n'}, "module.h is no path"),
    "product on tests": ({"hsm/a.cc": '#include "tests/fake.h"\n', "tests/fake.h": ""},
                         "hsm may not include tests"),
    "PKCS#11 outside": ({"vault/daemon/a.cc": "#include <p11-kit/pkcs11.h>\n"},
                        "belongs in hsm only"),
    "SQL outside": ({"vault/daemon/a.cc": "#include <sqlite3.h>\n"},
                    "belongs in vault/store only"),
    "TLS outside": ({"provisioning/a.cc": "#include <openssl/ssl.h>\n"},
                    "belongs in protocol/client and protocol/gate only"),
    "Beast outside": ({"protocol/wire/a.cc": "#  include <boost/beast.hpp>\n"},
                      "belongs in protocol/client and protocol/gate only"),
    "Beast everywhere": ({f"protocol/gate/b{i}.cc": '#include "protocol/gate/tls.h"\n'
                          for i in range(4)}, "5 translation units include Beast"),
    "gate names the module": ({"protocol/gate/a.cc": 'f("sqlite");\n'}, "knows nothing of sqlite"),
    "gate links the HSM": ({"protocol/gate/CMakeLists.txt": "link(cardvault_hsm)  # it\n"},
                           "knows nothing of cardvault_hsm"),
    "secret opened": ({"hsm/a.cc": "f(pin->expose ());\n"}, "hsm/a.cc: opens a secret"),
    "list out of date": ({"vault/core/record.cc": "// expose()\n"}, "but opens none"),
    "receipts from elsewhere": ({"vault/daemon/a.cc": "class ReceiptIssuer {\n};\n"},
                                "only vault/store defines ReceiptIssuer"),
    "authorized by itself": ({"vault/daemon/a.cc": "auto a = Authorized<Tokenize>{r};\n"},
                             "only the policy makes"),
    "another Authorized": ({"vault/daemon/a.cc": "class Authorized {};\n"},
                           "only the policy makes"),
    "loop over what is gone": ({"vault/core/a.cc": "for (const Row& row : *vault.rows()) {}\n"},
                               "a loop over what rows() returned"),
    "loop over a part of it": ({"vault/core/a.cc": "for (const auto& [a, b] : vault_.rows()->by_id) f(a);\n"},
                               "a loop over what rows() returned"),
    "unfinished": ({"hsm/a.cc": "// TO" "DO: later\n"}, "something is left"),
}


def write(root, files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


class Checker(unittest.TestCase):
    def test_accepts_a_good_tree(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, GOOD)
            self.assertEqual(problems(root), [])

    def test_finds_each_violation_and_nothing_else(self):
        for name, (files, expected) in BAD.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as root:
                write(root, GOOD | files)
                found = problems(root)
                self.assertTrue(found, "nothing found")
                self.assertTrue(any(expected in problem for problem in found), found)
                self.assertEqual(len(found), 1, found)


if __name__ == "__main__":
    unittest.main()
