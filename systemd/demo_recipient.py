#!/usr/bin/python3
"""What the holder of a recipient's key reads in a message sealed to it: for the demo.

    demo_recipient.py DIR NAME TYPE < message      TYPE: otp or card

Prints the claims. Uses the reference recipient, which follows docs/recipients.md.
"""

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "recipient"))
import recipient  # noqa: E402

KINDS = {"otp": recipient.OTP, "card": recipient.CARD}


def main():
    folder, name, kind = sys.argv[1:]
    with open(os.path.join(folder, f"{name}.key"), "rb") as file:
        key = file.read()
    with open(os.path.join(folder, "jwks.json"), encoding="utf-8") as file:
        jwks = file.read()
    seen = recipient.SeenIds(os.path.join(folder, f"{name}.seen"))
    holder = recipient.Recipient(name, [key], jwks, "cardvault", seen)
    try:
        print(json.dumps(holder.open(sys.stdin.read().strip(), KINDS[kind])))
    except recipient.Refused as refused:
        sys.exit(f"{name} refuses it: {refused}")


if __name__ == "__main__":
    main()
