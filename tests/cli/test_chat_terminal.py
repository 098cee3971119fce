#!/usr/bin/env python3
"""test_chat_terminal.py RAG: conversations on a terminal: editing, Ctrl-C, history."""
import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading
import time

from fake_model import ANSWER, Server
from support import RAG, Case, end, main, wait_until


class Terminal:
    """The program on a pseudo-terminal of its own, as a shell would start it."""

    def __init__(self, case, *arguments, **env):
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 100))
        self.shown = bytearray()
        self.seen = 0

        def become_foreground():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        env = {name: text for name, text in {**case.env, "TERM": "xterm", **env}.items() if text}
        self.child = subprocess.Popen([RAG, "chat", *arguments], cwd=case.folder, env=env,
                                      stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      preexec_fn=become_foreground)
        threading.Thread(target=self.read, daemon=True).start()
        case.addCleanup(os.close, self.slave)
        case.addCleanup(end, self.child)

    def read(self):
        try:
            while piece := os.read(self.master, 4096):
                self.shown.extend(piece)
        except OSError:  # the test is over
            pass

    def wait_for(self, text):
        """Until this is shown, behind what was waited for before."""
        wanted = text.encode()
        wait_until(lambda: wanted in self.shown[self.seen:] or self.child.poll() is not None,
                   repr(text))
        at = self.shown.find(wanted, self.seen)
        if at < 0:
            raise AssertionError(f"{text!r} is not in {bytes(self.shown[self.seen:])!r}")
        self.seen = at + len(wanted)

    def wait_for_prompt(self):
        """Until keys are read one by one: a key before that would be the terminal's own."""
        self.wait_for("> ")
        wait_until(lambda: not termios.tcgetattr(self.slave)[3] & termios.ICANON, "the editor")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def finish(self, keys="/quit\n"):
        self.wait_for_prompt()
        self.type(keys)
        return self.child.wait(60)


class ChatTerminal(Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.env.update(OPENAI_BASE_URL=self.server.url, HOME=str(self.folder / "home"))
        (self.folder / "home").mkdir()
        self.history = self.folder / "home/.local/state/rag/history"
        self.write_documents()
        self.run_rag("index", "docs", "--quiet")

    def open(self, *arguments, **env):
        terminal = Terminal(self, "--llm", "openai:m", *arguments, **env)
        terminal.wait_for("openai:m answers from 127.0.0.1")
        return terminal

    def ask(self, terminal, keys):
        terminal.wait_for_prompt()
        terminal.type(keys)
        terminal.wait_for(ANSWER)

    def test_wide_characters_are_edited_in_any_locale(self):
        for locale in ("C.UTF-8", "C", "xx_YY.GB18030", None):
            self.server.requests.clear()
            terminal = self.open(LANG=locale)
            self.ask(terminal, "绿茶茶\x7f么？\x1b[D\x1b[D怎\n")  # rubout, twice left
            self.assertEqual(terminal.finish(), 0)
            self.assertEqual(self.server.questions(), ["绿茶怎么？"], locale)

    def test_lines_are_joined(self):
        terminal = self.open()
        terminal.wait_for_prompt()
        terminal.type("one \\\n")
        terminal.wait_for(". ")
        terminal.type("two\n")
        terminal.wait_for(ANSWER)
        terminal.wait_for_prompt()
        terminal.type('"""\n')
        for line in ("three", "", "four", '"""'):
            terminal.wait_for(". ")
            terminal.type(line + "\n")
        terminal.wait_for(ANSWER)
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(self.server.questions(), ["one \ntwo", "three\n\nfour"])

    def test_ctrl_c_at_the_prompt_clears_the_line_and_what_it_goes_on(self):
        terminal = self.open()
        terminal.wait_for_prompt()
        terminal.type("half a line\x03")
        terminal.wait_for_prompt()
        terminal.type('"""\n')
        terminal.wait_for(". ")
        terminal.type("half a block\n")
        terminal.wait_for(". ")
        terminal.type("more\x03")
        self.ask(terminal, "tea?\n")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(self.server.questions(), ["tea?"])

    def test_a_signal_at_the_prompt_does_not_stop_the_next_answer(self):
        terminal = self.open()
        terminal.wait_for_prompt()
        terminal.child.send_signal(signal.SIGINT)
        self.ask(terminal, "tea?\n")
        self.assertEqual(terminal.finish(), 0)

    def test_ctrl_c_stops_the_answer_and_keeps_the_session(self):
        terminal = self.open()
        self.ask(terminal, "tea?\n")
        self.ask(terminal, "slow 绿茶\n")
        begin = terminal.seen
        time.sleep(1.5)  # long enough for a bar to be drawn
        self.assertEqual(bytes(terminal.shown[begin:]), b"", "something is drawn over the answer")
        started = time.monotonic()
        terminal.type("\x03")
        terminal.wait_for("rag: interrupted")
        self.assertLess(time.monotonic() - started, 10)
        terminal.wait_for_prompt()
        terminal.type("and water?\n")
        terminal.wait_for(ANSWER)
        terminal.wait_for_prompt()
        terminal.type("/question\n")
        terminal.wait_for("Searched for: How is green tea brewed?")  # the first turn is known
        self.assertEqual(terminal.finish(), 0)

    def test_a_turn_that_fails_is_told_and_the_session_goes_on(self):
        terminal = self.open()
        terminal.wait_for_prompt()
        terminal.type("fail\n")
        terminal.wait_for("rag: ")
        self.ask(terminal, "tea?\n")
        self.assertEqual(terminal.finish(), 0)

    def test_ctrl_d_ends_and_leaves_the_terminal_as_it_was(self):
        terminal = self.open()
        before = termios.tcgetattr(terminal.slave)
        self.assertEqual(terminal.finish("\x04"), 0)
        after = termios.tcgetattr(terminal.slave)
        self.assertTrue(after[3] & termios.ISIG and after[3] & termios.ICANON)
        self.assertEqual(before[6][termios.VINTR], after[6][termios.VINTR])
        wait_until(lambda: terminal.shown.endswith(b"\n"), "a new line")

    def test_sigterm_at_the_prompt_ends_it_and_the_history_is_kept(self):
        terminal = self.open()
        self.ask(terminal, "tea?\n")
        terminal.wait_for_prompt()
        terminal.child.send_signal(signal.SIGTERM)
        self.assertEqual(terminal.child.wait(60), -signal.SIGTERM)
        self.assertTrue(termios.tcgetattr(terminal.slave)[3] & termios.ICANON)
        self.assertIn("tea?\n", self.history.read_text())

    def test_sigterm_ends_an_answer_and_the_session(self):
        terminal = self.open()
        self.ask(terminal, "slow\n")
        terminal.child.send_signal(signal.SIGTERM)
        self.assertEqual(terminal.child.wait(60), 130)

    def test_the_history_is_recalled_in_the_next_session_and_private(self):
        first = self.open()
        first.wait_for_prompt()
        first.type("绿茶 \\\n")
        first.wait_for(". ")
        first.type("怎么泡？\n")
        first.wait_for(ANSWER)
        self.assertEqual(first.finish("\x04"), 0)
        self.assertEqual(self.history.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.history.parent), ["history"])
        self.server.requests.clear()
        second = self.open()
        self.ask(second, "\x1b[A\n")
        self.assertEqual(second.finish(), 0)
        self.assertEqual(self.server.questions(), ["绿茶  怎么泡？"])  # on one line

    def test_the_history_is_bounded_and_lies_where_xdg_says(self):
        state = self.folder / "state"
        (state / "rag").mkdir(parents=True)
        history = state / "rag/history"
        history.write_text("_HiStOrY_V2_\n" + "".join(f"line{i}\n" for i in range(3000)))
        history.chmod(0o644)
        terminal = self.open(XDG_STATE_HOME=str(state))
        self.assertEqual(terminal.finish(), 0)
        lines = history.read_text().splitlines()
        self.assertEqual((len(lines), lines[-2:]), (1001, ["line2999", "/quit"]))
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)
        self.assertFalse(self.history.exists())

    def test_json_on_a_terminal_has_no_prompt(self):
        terminal = Terminal(self, "--llm", "openai:m", "--json")
        terminal.type("tea?\n")
        terminal.wait_for('{"question":"tea?"')
        terminal.type("\x04")
        self.assertEqual(terminal.child.wait(60), 0)
        self.assertNotIn(b"> ", terminal.shown)


if __name__ == "__main__":
    main()
