"""The disk of a machine at the moment its power went: what the journal of disk_steering.py says was
synced is there, of the rest a part that chance chooses, in pieces of sectors.

Files are synced by themselves, their names with their folder. Names that were not synced come or go in
the order in which they were made, as journals of file systems have it; the contents of files in none.
"""

import os

SECTOR = 512


class Inode:
    def __init__(self, content=b""):
        self.content, self.changes, self.synced = content, [], 0

    def after(self, wanted):
        """Its bytes when the changes hold that are synced or wanted(number, record)."""
        data = bytearray(self.content)
        for number, record in self.changes:
            kept = record.data
            if number >= self.synced:
                kept = wanted(number, record)
                if kept is None:
                    continue
            if record.call == "write":
                end = record.offset + len(kept)
                data.extend(bytes(max(0, end - len(data))))
                data[record.offset:end] = kept
            else:  # truncate, or an open that emptied it
                size = record.offset if record.call == "truncate" else 0
                data = data[:size] + bytes(max(0, size - len(data)))
        return bytes(data)


def read_tree(folders):
    """path -> bytes of every file, path -> None of every folder; what is memory alone is left out."""
    tree = {}
    for top in folders:
        for at, _, names in os.walk(top):
            tree[at] = None
            for name in names:
                path = os.path.join(at, name)
                if not name.endswith("-shm"):
                    with open(path, "rb") as file:
                        tree[path] = file.read()
    return tree


class Disk:
    """`base` is read_tree() of before the first record."""

    def __init__(self, base, records):
        self.names = {path: None if data is None else Inode(data) for path, data in base.items()}
        self.first_names = dict(self.names)
        self.entries = []  # (number, record, inode) of what changes names
        self.folder_synced = {}
        self.all_synced = 0
        for number, record in enumerate(records):
            self._apply(number, record)

    def _apply(self, number, record):
        if record.call == "sync":
            self._sync(record)
        elif record.call in ("write", "truncate") or (record.call == "open" and record.offset == 2):
            self.names[record.path].changes.append((number, record))
        elif record.call in ("rename", "unlink", "mkdir") or (record.call == "open" and record.offset == 1):
            inode = Inode() if record.call == "open" else None
            self.entries.append((number, record, inode))
            self._rename(self.names, record, inode)

    @staticmethod
    def _rename(names, record, inode):
        if record.call == "rename":
            old, new = record.path.split("\n")
            if old in names:
                names[new] = names.pop(old)
        elif record.call == "unlink":
            names.pop(record.path, None)
        else:
            names[record.path] = inode

    def _sync(self, record):
        if record.path == "":
            self.all_synced = max(self.all_synced, record.begun)
            for inode in self.names.values():
                if inode is not None:
                    inode.synced = max(inode.synced, record.begun)
        elif self.names.get(record.path) is None:
            known = self.folder_synced.get(record.path, 0)
            self.folder_synced[record.path] = max(known, record.begun)
        else:
            inode = self.names[record.path]
            inode.synced = max(inode.synced, record.begun)

    def live(self, path):
        """A file as a reader saw it just before the cut."""
        inode = self.names.get(path)
        return None if inode is None else inode.after(lambda _, record: record.data)

    def left(self, chance):
        """path -> bytes or None, as read_tree(): what the next start finds."""
        names = dict(self.first_names)
        pending = []
        for entry in self.entries:
            folders = {os.path.dirname(path) for path in entry[1].path.split("\n")}
            safe = all(max(self.all_synced, self.folder_synced.get(f, 0)) > entry[0] for f in folders)
            if not safe:
                pending.append(entry[0])
        lost = set(pending[chance.randint(0, len(pending)):])
        for number, record, inode in self.entries:
            if number not in lost:
                self._rename(names, record, inode)
        share = chance.choice((0, 0.1, 0.5, 0.9, 1))

        def wanted(_, record):
            if chance.random() >= share:
                return None
            if record.call != "write" or chance.random() < 0.8:
                return record.data
            return record.data[:chance.randint(0, len(record.data) // SECTOR) * SECTOR]

        tree = {}
        for path, inode in names.items():
            if os.path.dirname(path) in names or path in self.first_names:
                tree[path] = None if inode is None else inode.after(wanted)
        return tree


def write_tree(tree, folders):
    """In place of what is in these folders, which stay themselves; owners are their owners."""
    for top in folders:
        owner = os.stat(top)
        for at, below, names in os.walk(top, topdown=False):
            for name in names:
                os.unlink(os.path.join(at, name))
            for name in below:
                os.rmdir(os.path.join(at, name))
        for path in sorted(p for p in tree if p == top or p.startswith(top + "/")):
            data = tree[path]
            if data is None:
                os.makedirs(path, 0o750, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(path), 0o750, exist_ok=True)
                with open(path, "wb") as file:
                    file.write(data)
            if path != top:
                os.chmod(path, 0o750 if data is None else 0o640)
                os.chown(path, owner.st_uid, owner.st_gid)
