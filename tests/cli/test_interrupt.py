#!/usr/bin/env python3
"""Ctrl-C while indexing: what is done is safe, and the same command goes on from there."""
import signal
import subprocess
import time

from support import Case, ManyFiles, Reader, main, wait_until


class Interrupt(ManyFiles):
    def interrupt(self):
        """Starts indexing on one thread; SIGINT when the first documents are in."""
        child = self.start_indexing()
        child.send_signal(signal.SIGINT)
        return child, Reader(child.stdout), Reader(child.stderr)

    def goes_on(self):
        self.assertEqual(self.text("verify"), "ok\n")
        info, = self.objects("info", "--json")
        before = info["documents"]
        self.assertGreater(before, 0)
        self.assertLess(before, self.FILES)
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["added"], report["unchanged"]),
                         (self.FILES - before, before))
        self.assertEqual(report["chunks_embedded"], report["chunks"])
        self.assertEqual(self.text("verify"), "ok\n")

    def test_the_first_one_finishes_what_is_in_hand(self):
        child, out, err = self.interrupt()
        self.assertEqual(child.wait(600), 130)
        self.assertIn("finishing what is in hand", err.text())
        self.assertIn("the same command goes on", err.text())
        self.assertRegex(out.text(), r"^\d+ added, ")
        self.goes_on()

    def test_the_second_one_ends_at_once(self):
        child, _, err = self.interrupt()
        wait_until(lambda: b"Ctrl-C again" in err.data, "the first message")
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(600), 130)
        self.assertLess(time.monotonic() - began, 5)
        self.goes_on()

    def test_sigterm_is_heeded_as_well(self):
        child = self.start_indexing()
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(600), 130)
        self.assertIn("goes on", Reader(child.stderr).text())
        self.assertEqual(self.text("verify"), "ok\n")


class NothingToLose(Case):
    def test_a_command_that_waits_for_input_ends_at_the_first_one(self):
        for command in (["tokenize"], ["embed"], ["rerank", "tea"]):
            child = self.start(*command, stdin=subprocess.PIPE)
            time.sleep(0.5)
            self.assertIsNone(child.poll())
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(60), -signal.SIGINT)


if __name__ == "__main__":
    main()
