#!/usr/bin/env python3
"""Outputs of notebooks: left out, read where they are asked for, and then what was indexed without them is read
again."""
import json
import pathlib
import shutil
import zipfile

from support import Case, main

NOTEBOOK = pathlib.Path(__file__).resolve().parent.parent / "data/readers/jupyter.ipynb"
OUTPUTS = "--notebook-outputs"


class Notebooks(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "docs").mkdir()
        shutil.copy(NOTEBOOK, self.folder / "docs/run.ipynb")
        with zipfile.ZipFile(self.folder / "docs/runs.zip", "w") as made:
            made.write(NOTEBOOK, "run.ipynb")
        self.write("docs/text.md", "# A text\n\nIt is as it is.\n")

    def index(self, *options, **counts):
        report, = self.objects("index", "docs", "--json", *options)
        shown = {name: report[name] for name in ("added", "updated", "renamed", "unchanged", "skipped")}
        self.assertEqual({name: count for name, count in shown.items() if count}, counts)
        return report

    def found(self):
        """How many documents have the sum that only an output shows."""
        done = self.run_rag("search", "--mode", "lexical", "205", "--json", status=self.status)
        return len({json.loads(line)["document"] for line in done.stdout.splitlines()})

    def test_they_are_read_when_they_are_asked_for(self):
        self.status = 1
        self.index(added=3)
        self.assertEqual(self.found(), 0)
        self.index(unchanged=3)
        report = self.index(OUTPUTS, "--dry-run", updated=2, unchanged=1)
        reasons = {change["reason"] for change in report["changes"]}
        self.assertEqual(reasons, {"its content, or how it is read, has changed"})
        self.status = 0
        report = self.index(OUTPUTS, updated=2, unchanged=1)
        self.assertLess(0, report["chunks_embedded"])
        self.assertEqual(self.found(), 2)
        self.index(OUTPUTS, unchanged=3)

    def test_what_was_read_with_them_stays_until_it_changes(self):
        self.status = 0
        self.index(OUTPUTS, added=3)
        self.index(unchanged=3)
        self.assertEqual(self.found(), 2)
        (self.folder / "docs/run.ipynb").rename(self.folder / "docs/moved.ipynb")
        self.index(OUTPUTS, renamed=1, unchanged=2)
        self.run_rag("reindex", "--max-tokens", "60")
        self.assertEqual(self.found(), 2)
        (self.folder / "docs/moved.ipynb").write_bytes(NOTEBOOK.read_bytes() + b"\n")
        self.index(updated=1, unchanged=2)
        self.assertEqual(self.found(), 1)

    def test_chunks_and_standard_input(self):
        self.assertNotIn("red words", self.text("chunk", "docs/run.ipynb"))
        self.assertIn("red words", self.text("chunk", OUTPUTS, "docs/run.ipynb"))
        self.status = 0
        self.run_rag("index", "-", OUTPUTS, stdin=NOTEBOOK.read_bytes())
        self.assertEqual(self.found(), 1)


if __name__ == "__main__":
    main()
