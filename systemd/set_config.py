#!/usr/bin/python3
"""Sets keys of DIR/vault.toml (`policy.cards_per_customer=3`), or of every gate's file with `gate.`
before the section (`gate.limits.header_ms=500`). Keeps the rest of the file, comments included.

    set_config.py DIR SECTION.KEY=VALUE...

VALUE is TOML; what does not read as TOML is taken as a string.
"""

import glob
import json
import os
import re
import sys
import tomllib


def literal(value):
    try:
        tomllib.loads(f"value = {value}")
        return value
    except tomllib.TOMLDecodeError:
        return json.dumps(value, ensure_ascii=False)


def with_key(text, section, key, value):
    line = f"{key} = {value}"
    lines = text.splitlines()
    heads = [i for i, l in enumerate(lines) if re.match(r"\s*\[", l)]
    begin = next((i for i in heads if lines[i].split("#")[0].strip() == f"[{section}]"), None)
    if begin is None:
        return text.rstrip("\n") + f"\n\n[{section}]\n{line}\n"
    end = next((i for i in heads if i > begin), len(lines))
    for i in range(begin + 1, end):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[i]):
            lines[i] = line
            break
    else:
        lines.insert(begin + 1, line)
    return "\n".join(lines) + "\n"


def main():
    folder, *settings = sys.argv[1:]
    for setting in settings:
        name, equals, value = setting.partition("=")
        section, dot, key = name.rpartition(".")
        if not equals or not dot or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            sys.exit(f"--set {setting}: write SECTION.KEY=VALUE, as in policy.cards_per_customer=3")
        files = [f"{folder}/vault.toml"]
        if section.startswith("gate."):
            section, files = section.removeprefix("gate."), sorted(glob.glob(f"{folder}/gate-*.toml"))
        for path in map(os.path.realpath, files):  # what a link leads to is changed, and stays a link's
            with open(path, encoding="utf-8") as file:
                text = with_key(file.read(), section, key, literal(value))
            try:
                tomllib.loads(text)
            except tomllib.TOMLDecodeError as wrong:
                sys.exit(f"{path}: {wrong}: mend it, then try again; nothing was changed in it")
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path + ".new", 0o644)
            os.rename(path + ".new", path)


if __name__ == "__main__":
    main()
