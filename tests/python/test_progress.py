"""Progress: the bar's lines, on a terminal and in a file, and the events of long calls."""

import io
import os
import pty
import re
import subprocess
import sys
from unittest import mock

from support import EMBEDDER, Case, main

import rag
from rag import _progress


class Bars(Case):
    def lines(self, clock, updates, total=1682, **options):
        """What a bar writes into a file whose updates come at these seconds."""
        file = io.StringIO()
        with mock.patch.object(_progress.time, "monotonic", lambda: clock[0]):
            bar = rag.ProgressBar("Calculating embeddings", total, file=file, **options)
            for seconds, done in updates:
                clock[0] = seconds
                bar.update_to(done)
            bar.close()
            bar.close()
        return file.getvalue()

    def test_a_file_gets_the_last_line_alone_in_tqdms_look(self):
        self.assertEqual(
            self.lines([0.0], [(700.0, 800), (1464.0, 1682)]),
            "Calculating embeddings: 100%|██████████| 1682/1682 [24:24<00:00,  1.15it/s]\n")

    def test_parts_hours_and_slow_rates(self):
        self.assertEqual(
            self.lines([0.0], [(7200.0, 55)], total=100),
            "Calculating embeddings:  55%|█████▌    | 55/100 [2:00:00<1:38:10, 130.91s/it]\n")
        self.assertEqual(self.lines([0.0], [], total=5),
                         "Calculating embeddings:   0%|          | 0/5 [00:00<?, ?it/s]\n")
        self.assertEqual(self.lines([0.0], [(2.0, 10)], total=None),
                         "Calculating embeddings: 10it [00:02,  5.00it/s]\n")

    def test_a_width_is_kept_to(self):
        line = self.lines([0.0], [(1464.0, 1682)], columns=100)
        self.assertEqual(len(line.rstrip("\n")), 100)

    def test_a_terminal_sees_it_grow(self):
        code = (
            "import rag\n"
            f"model = rag.Model({str(EMBEDDER)!r})\n"
            "model.embed_lists(['some words'] * 5000, progress=True)\n"
        )
        main_end, terminal = pty.openpty()
        process = subprocess.Popen([sys.executable, "-c", code], stderr=terminal)
        os.close(terminal)
        output = b""
        while True:
            try:
                read = os.read(main_end, 4096)
            except OSError:
                break
            if not read:
                break
            output += read
        os.close(main_end)
        self.assertEqual(process.wait(), 0)
        drawn = output.decode().split("\r")
        self.assertGreater(len([line for line in drawn if line.startswith("Embedding:")]), 1)
        self.assertRegex(output.decode(), r"\rEmbedding: 100%\|█+\| (\d+)/\1 \[.*tokens/s\] *\r\n$")


class Events(Case):
    def test_events_count_up_to_their_total(self):
        seen = []
        with rag.Model(EMBEDDER) as model:
            model.embed_lists(["some words"] * 3000, progress=seen.append)
        self.assertEqual({event.stage for event in seen}, {"embedding"})
        self.assertEqual({event.unit for event in seen}, {"tokens"})
        self.assertEqual([e.done for e in seen], sorted(e.done for e in seen))
        self.assertEqual(seen[-1].done, seen[-1].total)

    def test_progress_true_writes_a_line_for_each_stage(self):
        file = io.StringIO()
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        with mock.patch.object(sys, "stderr", file):
            index.add(docs, progress=True)
        self.assertTrue(re.search(r"^Indexing: 100%\|█{10}\| ", file.getvalue(), re.MULTILINE),
                        file.getvalue())

    def test_what_is_no_progress_is_refused(self):
        with rag.Model(EMBEDDER) as model, self.assertRaises(TypeError):
            model.embed_lists(["a"], progress="yes")


if __name__ == "__main__":
    main()
