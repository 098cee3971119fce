"""Ctrl-C, and exceptions of callbacks: calls stop, what is raised comes out, nothing is left."""

import os
import signal
import subprocess
import sys
import threading
import time

from support import EMBEDDER, Case, Server, main

import rag

TEXTS = ["some words of a text"] * 200_000


def interrupt_soon(seconds=0.3):
    """Ctrl-C for this process, from another thread, while the main one is busy. To be called where
    it is caught: on a loaded machine the signal may come at once."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


class Interrupts(Case):
    def setUp(self):
        super().setUp()
        self.model = rag.Model(EMBEDDER)
        self.addCleanup(self.model.close)

    def test_ctrl_c_stops_a_computation(self):
        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            interrupt_soon()
            self.model.embed_lists(TEXTS)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(self.model.embed_lists(["a"])), 1)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_ctrl_c_is_never_lost_at_any_moment(self):
        # A signal may come in the first instruction of a callback, or after the last one.
        texts = TEXTS[:300]
        self.model.embed_lists(texts)
        caught = 0
        for i in range(40):
            try:
                interrupt_soon(0.05 + i * 0.002)
                for _ in range(1000):
                    self.model.embed_lists(texts)
            except KeyboardInterrupt:
                caught += 1
        self.assertEqual(caught, 40)

    def test_any_handler_that_raises_is_heeded(self):
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        old = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with self.assertRaises(Alarm):
            self.model.embed_lists(TEXTS)

    def test_what_a_progress_function_raises_comes_out(self):
        def progress(event):
            raise ZeroDivisionError(event.stage)

        with self.assertRaisesRegex(ZeroDivisionError, "embedding"):
            self.model.embed_lists(TEXTS, progress=progress)

    def test_ctrl_c_while_indexing_leaves_a_whole_index(self):
        docs = self.write_files(
            {f"{i:04}.txt": f"document {i} " + "words " * 400 for i in range(2000)})
        index = self.open_index(model=self.model)
        with self.assertRaises(KeyboardInterrupt):
            interrupt_soon(1.0)
            index.add(docs)
        self.assertEqual(index.verify(), [])
        self.assertLess(index.info.documents, 2000)

    def test_a_stopped_call_tells_what_is_safe(self):
        docs = self.write_files({f"{i}.txt": f"document {i}" for i in range(3)})
        index = self.open_index(model=self.model)
        index.add(docs)
        with self.assertRaises(rag.Error) as caught:
            index.add([docs / "0.txt", docs / "no such file"])
        self.assertIsInstance(caught.exception.report, rag.AddReport)

    def test_ctrl_c_while_waiting_for_a_server(self):
        server = Server(pieces=["piece "] * 1000, pause=threading.Event())
        self.addCleanup(server.stop)
        with server.chat() as chat:
            with self.assertRaises(KeyboardInterrupt):
                interrupt_soon()
                for _ in chat.stream("why"):
                    pass
            self.assert_no_threads_left(0)
            server.pause.set()
            self.assertTrue(server.cut.wait(10))

    def test_a_program_that_ends_does_not_wait_for_its_streams(self):
        server = Server(pieces=["piece "] * 1000, pause=threading.Event())
        self.addCleanup(server.stop)
        code = (
            "import rag, sys\n"
            "chat = rag.Chat('openai:m', base_url=sys.argv[1], key='k')\n"
            "stream = chat.stream('why')\n"
            "print(next(stream))\n"
        )
        done = subprocess.run([sys.executable, "-c", code, server.url], capture_output=True,
                              text=True, timeout=30)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("piece \n", "", 0))


if __name__ == "__main__":
    main()
