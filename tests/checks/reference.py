#!/usr/bin/env python3
"""The reference pages are what their sources say now, and leave nothing out:
reference.py SOURCE LIBRAG.SO

The pages of docs/reference are made anew and compared. What they must name comes from elsewhere:
the functions that the library exports, and the names that the package says are its own.
"""
import ast
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE, LIBRARY = map(pathlib.Path, sys.argv[1:])
bad = []


def compare(committed, made):
    old, new = (p.read_text(encoding="utf-8").splitlines() for p in (committed, made))
    changes = list(difflib.unified_diff(old, new, str(committed), "as its source says", "",
                                        lineterm=""))
    if changes:
        bad.append("\n".join(changes[:40]) + "\nrun tools/make-reference and commit the pages")


def headings(page):
    text = (SOURCE / "docs/reference" / page).read_text(encoding="utf-8").replace("\\_", "_")
    return {name for line in re.findall(r"^### (.*)", text, re.MULTILINE)
            for name in line.split(", ")}


def missing(page, names, least):
    if len(names) < least:
        bad.append(f"only {len(names)} names to look for in {page}")
    for name in sorted(names - headings(page)):
        bad.append(f"docs/reference/{page} does not have {name}")


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, SOURCE / "tools/make-reference", folder], check=True)
    for page in ("c.md", "python.md"):
        compare(SOURCE / "docs/reference" / page, pathlib.Path(folder) / page)

symbols = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
missing("c.md", set(re.findall(r" T (rag_\w+)", symbols)), 40)

package = (SOURCE / "python/rag/__init__.py").read_text(encoding="utf-8")
names = next(ast.literal_eval(node.value) for node in ast.parse(package).body
             if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
missing("python.md", {name for name in names if not name.startswith("_")}, 30)

print("\n".join(bad) or "the reference pages are up to date and whole")
sys.exit(bool(bad))
