#!/usr/bin/env python3
"""Progress: a bar on a terminal, lines elsewhere, nothing when asked to be quiet."""
import signal
import subprocess
import time

from support import Case, ManyFiles, Reader, main


class Progress(Case):
    def setUp(self):
        super().setUp()
        for i in range(6):
            words = " ".join(f"word{i}{k} tea{k * i}" for k in range(9000))
            self.write(f"docs/file-{i}\033[2J-茶.md", f"# Text {i}\n\n{words}.\n")

    def test_a_terminal_gets_a_bar_with_rate_and_time_left(self):
        status, shown = self.on_terminal("index", "docs", "--threads", "1")
        self.assertEqual(status, 0)
        text = shown.decode()
        self.assertRegex(text, r"\rindexing +\d+% \[#*\.*\] [\d.]+ k?B/\d+ kB, "
                               r"[\d.]+ [kM]?B/s, \d+:\d\d left  docs/")
        # The bar is taken away before the report, and no name can move the cursor.
        self.assertRegex(text, r"\r\033\[K6 added, ")
        self.assertNotIn("\033[2J", text)

    def test_a_dumb_terminal_gets_no_bar(self):
        status, shown = self.on_terminal("index", "docs/", "--threads", "1", TERM="dumb")
        self.assertEqual(status, 0)
        self.assertNotIn(b"\033", shown)
        self.assertNotIn(b"[#", shown)

    def test_quiet_draws_nothing(self):
        status, shown = self.on_terminal("index", "docs", "--threads", "1", "--quiet")
        self.assertEqual(status, 0)
        self.assertTrue(shown.startswith(b"6 added, "), shown)

    def test_a_pipe_gets_neither_bar_nor_control_characters(self):
        child = self.start("index", "docs", "--threads", "1", stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        err = Reader(child.stderr)
        self.assertEqual(child.wait(600), 0)
        self.assertNotRegex(err.text(), "[\r\033]")
        for line in err.text().splitlines():
            self.assertRegex(line, r"^indexing \d+% .*/s(, \d+:\d\d left)?$")


class Lines(ManyFiles):
    def test_a_long_run_without_a_terminal_says_a_line_every_few_seconds(self):
        child = self.start_indexing()
        for _ in range(2):
            # The clock runs on while it sleeps, on a machine of any speed.
            child.send_signal(signal.SIGSTOP)
            time.sleep(5.2)
            child.send_signal(signal.SIGCONT)
            time.sleep(0.2)
        self.assertEqual(child.wait(600), 0)
        self.assertRegex(Reader(child.stderr).text(),
                         r"\A(indexing \d+% [\d.]+ k?B/\d+ kB, [\d.]+ k?B/s, \d+:\d\d left\n)+\Z")


if __name__ == "__main__":
    main()
