#!/usr/bin/env python3
"""No circle of imports between the folders of src/ (and the files beside them): arrows run down.

Reads `crate::…` paths in code, tests and comments left out. `error` and `shape` may know each other: a shape that does not
fit is an error, and an error tells shapes.
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).parent.parent / "src"
ALLOWED = {frozenset({"error", "shape"})}


def names_in(braces: str) -> list[str]:
    """First names of the paths in `{a::b, c::{d, e}}`."""
    depth, names, name = 0, [], ""
    for char in braces[1:-1] + ",":
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            names.append(name.strip().split("::")[0])
            name = ""
        else:
            name += char
    return [name for name in names if name]


def code(text: str) -> str:
    text = re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*", "", text, flags=re.S)
    text = re.sub(r"#\[cfg\(doc\)\]\s*use [^;]*;", "", text)
    return re.sub(r"//.*", "", text)


def imports() -> dict[str, dict[str, set[Path]]]:
    """What each folder imports, and in which files."""
    lib = (SRC / "lib.rs").read_text()
    home = {}
    for folder, items in re.findall(r"pub use (\w+)::(\{[^}]*\}|\w+);", lib):
        home.update({item: folder for item in re.findall(r"\w+", items)})
    folders = {path.stem for path in SRC.iterdir()} - {"lib"}
    found = {folder: {} for folder in folders}
    for path in SRC.rglob("*.rs"):
        own = path.relative_to(SRC).parts[0].removesuffix(".rs")
        if own == "lib" or path.stem == "tests":
            continue
        for match in re.findall(r"\bcrate::(\{[^;]*\}|\w+)", code(path.read_text())):
            for name in names_in(match) if match[0] == "{" else [match]:
                name = home.get(name, name)
                if name in folders and name != own and frozenset({own, name}) not in ALLOWED:
                    found[own].setdefault(name, set()).add(path.relative_to(SRC.parent))
    return found


def circle(found: dict) -> list[str] | None:
    """The folders of one circle, the first of them again at the end."""
    done = set()

    def walk(folder: str, way: list[str]) -> list[str] | None:
        if folder in way:
            return way[way.index(folder):] + [folder]
        if folder in done:
            return None
        for other in sorted(found[folder]):
            if round_trip := walk(other, way + [folder]):
                return round_trip
        done.add(folder)
        return None

    return next(filter(None, (walk(folder, []) for folder in sorted(found))), None)


def main() -> None:
    found = imports()
    if len(found) < 20 or not any(found.values()):
        sys.exit(f"{len(found)} folders of src with {sum(map(len, found.values()))} imports: not what was meant to be read")
    if folders := circle(found):
        print("a circle of imports between the folders of src:", " -> ".join(folders), file=sys.stderr)
        for own, other in zip(folders, folders[1:]):
            print(f"  {own} -> {other} in {', '.join(map(str, sorted(found[own][other])))}", file=sys.stderr)
        sys.exit(1)


main()
