#!/usr/bin/env python3
"""Checks that includes go one way: layers.py ROOT

A folder of src/ includes only itself and the stations before it; the command line and the
examples include the public header (and their own files) alone. Nothing includes the readers, which
are a program of their own.
"""
import pathlib
import re
import sys

STATIONS = "base text documents readers model encoder store chat pipeline server".split()
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]')


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1)


def check(root):
    problems, files = [], 0
    for path in sorted(root.glob("src/*/*.[ch]")):
        files += 1
        here = STATIONS.index(path.parent.name)
        for number, name in includes(path):
            station = name.split("/")[0]
            if "/" in name and station in STATIONS and STATIONS.index(station) > here:
                problems.append(f"{path.relative_to(root)}:{number}: includes {name}, which comes after it")
            if station == "readers" and path.parent.name != "readers":
                problems.append(f"{path.relative_to(root)}:{number}: includes {name}, of rag-reader")
            if "/" not in name and (path.parent / name).exists():
                problems.append(f"{path.relative_to(root)}:{number}: write {path.parent.name}/{name}")
    for folder in ("cli", "examples", "src/server"):
        for path in sorted(root.glob(f"{folder}/*.[ch]")):
            files += 1
            for number, name in includes(path):
                if "/" in name and name.split("/")[0] in STATIONS:
                    problems.append(f"{path.relative_to(root)}:{number}: includes {name}; only rag.h is public")
    return files, problems


if __name__ == "__main__":
    files, problems = check(pathlib.Path(sys.argv[1]))
    print("\n".join(problems) or f"{files} files include only what comes before them")
    sys.exit(1 if problems or files == 0 else 0)
