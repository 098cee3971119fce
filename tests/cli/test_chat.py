#!/usr/bin/env python3
"""test_chat.py RAG: conversations on pipes, with a server that plays a language model."""
import json
import os
import select
import signal
import subprocess
import unicodedata

from fake_model import ANSWER, REWRITTEN, Server
from support import Case, main

MIB = 1 << 20


class ChatCase(Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.env.update(OPENAI_BASE_URL=self.server.url, HOME=str(self.folder / "home"))
        (self.folder / "home").mkdir()
        self.write_documents()
        self.run_rag("index", "docs", "--quiet")

    def chat(self, stdin, *arguments, **more):
        return self.run_rag("chat", "--llm", "openai:m", *arguments, stdin=stdin, **more)


class Turns(ChatCase):
    def test_a_follow_up_is_rewritten_before_it_is_searched_for(self):
        first, second = self.objects("chat", "--llm", "openai:m", "--json",
                                     stdin="绿茶怎么泡？\nAnd in what water?\n")
        self.assertEqual(first["searched"], "绿茶怎么泡？")
        self.assertEqual(second["question"], "And in what water?")
        self.assertEqual(second["searched"], REWRITTEN)
        self.assertEqual(second["citations"][0]["number"], 1)
        self.assertEqual(first["usage"]["requests"], 1)
        self.assertEqual(second["usage"]["requests"], 2)
        self.assertEqual(second["usage"]["input_tokens"], 200)
        transcript = self.server.requests[1]["messages"][-1]["content"]
        self.assertIn("User: 绿茶怎么泡？", transcript)
        roles = [message["role"] for message in self.server.requests[2]["messages"]]
        self.assertEqual(roles, ["system", "user", "assistant", "user"])

    def test_reset_forgets_the_turns_before(self):
        self.chat("tea?\n/reset\nAnd in what water?\n")
        self.assertEqual([len(request["messages"]) for request in self.server.requests], [2, 2])

    def test_the_question_that_was_searched_for_is_shown_on_request(self):
        self.assertNotIn("Searched", self.chat("tea?\nAnd water?\n").stdout.decode())
        shown = self.chat("tea?\nAnd water?\n", "--show-question").stdout.decode()
        self.assertIn("Searched for: tea?\n", shown)
        self.assertIn(f"Searched for: {REWRITTEN}\n", shown)

    def test_without_a_language_model_passages_are_quoted(self):
        first, second = self.objects("chat", "--json", stdin="tea?\nAnd water?\n")
        self.assertEqual((first["llm"], second["searched"]), ("", "And water?"))
        self.assertTrue(first["citations"][0]["quote"])
        self.assertIn("no language model", self.text("chat", stdin="/usage\n"))
        self.assertEqual(self.server.requests, [])

    def test_lines_are_joined_by_a_backslash_or_quotes(self):
        self.chat('one \\\ntwo\n"""\nthree\n\nfour\\\n"""\n')
        self.assertEqual(self.server.questions(), ["one \ntwo", "three\n\nfour\\"])

    def test_sources_usage_and_the_transcript_are_shown_and_saved(self):
        shown = self.chat("tea?\n/sources\n/usage\n/question\n/save talk.md\n/quit\n"
                          "no\n").stdout.decode()
        self.assertIn("below boiling [1].", shown)
        self.assertRegex(shown, r"\d+ tokens in, 8 out \(estimated\)")
        self.assertIn("Searched for: tea?", shown)
        for text in ("Cucumbers need water", "烤箱需要预热十分钟", "The deadline of the"):
            self.assertIn(f"    {text}", shown)
        saved = (self.folder / "talk.md").read_text()
        self.assertTrue(saved.startswith(f"## tea?\n\n{ANSWER}\n\n- [1] docs/"), saved)
        self.assertRegex(saved, r"- \[1\] docs/\S+:\d+-\d+, .*\n\n  > ")
        self.assertEqual(len(self.server.requests), 1)  # nothing behind /quit

    def test_a_question_of_many_lines_is_one_heading(self):
        self.chat('"""\ntea\nand water?\n"""\n/save talk.md\n')
        self.assertTrue((self.folder / "talk.md").read_text().startswith("## tea and water?\n\n"))

    def test_nothing_is_overwritten_by_save(self):
        self.write("talk.md", "mine")
        done = self.run_rag("chat", stdin="tea?\n/save talk.md\n/save\n/save no/where.md\n")
        self.assertEqual((self.folder / "talk.md").read_text(), "mine")
        self.assertIn("talk.md: File exists", done.err)
        self.assertIn("no/where.md: No such file", done.err)
        self.assertIn("Give a file", done.stdout.decode())

    def test_an_unknown_command_is_named_and_not_asked(self):
        self.assertIn("There is no command /souces; /help", self.chat("/souces x\n").stdout.decode())
        self.assertIn("/save FILE", self.chat("/help\n").stdout.decode())
        self.assertEqual(self.server.requests, [])

    def test_no_control_character_of_a_model_is_printed_or_saved(self):
        done = self.chat("raw?\n/sources\n/save talk.md\n/\x1b[2Jx\n")
        done.stdout += self.chat("raw?\n", "--no-stream").stdout
        failed = self.chat("fail\n", status=6)
        saved = (self.folder / "talk.md").read_text()
        for text in (done.stdout.decode(), saved, done.err, failed.err):
            raw = {c for c in text if unicodedata.category(c) == "Cc"} - {"\n"}
            self.assertEqual(raw, set())
        self.assertIn(ANSWER, saved)


class Pipes(ChatCase):
    def test_each_answer_comes_while_the_input_is_still_open(self):
        child = self.start("chat", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for question in ("tea?", "and water?"):
            child.stdin.write(question.encode() + b"\n")
            child.stdin.flush()
            self.assertTrue(select.select([child.stdout], [], [], 60)[0], "it is held back")
            self.assertEqual(json.loads(child.stdout.readline())["question"], question)
        child.stdin.close()
        self.assertEqual(child.wait(60), 0)

    def test_with_json_each_line_is_a_question_whatever_stands_in_it(self):
        lines = ["/save talk.md", '"""', "/quit", "tea\\", "water"]
        rows = self.objects("chat", "--json", stdin="".join(line + "\n" for line in lines))
        self.assertEqual([row["question"] for row in rows], lines)
        self.assertFalse((self.folder / "talk.md").exists())

    def test_blank_lines_and_a_last_line_without_an_end(self):
        rows = self.objects("chat", "--json", stdin="\n  \ntea?\r\n\nwater?")
        self.assertEqual([row["question"] for row in rows], ["tea?", "water?"])

    def test_a_question_without_any_passage_does_not_end_the_rest(self):
        first, second = self.objects("chat", "--json", "--mode", "lexical",
                                     stdin="xylophone\ncucumbers\n")
        self.assertEqual((first["question"], first["found"], first["hits"]),
                         ("xylophone", False, []))
        self.assertTrue(second["found"])
        done = self.run_rag("chat", "--mode", "lexical", stdin="xylophone\ncucumbers\n")
        self.assertIn("nothing on this", done.err)
        self.assertIn("Cucumbers need water", done.stdout.decode())

    def test_a_failing_server_ends_it_and_keeps_what_was_answered(self):
        done = self.chat("tea?\nfail\nnever asked\n", "--json", status=6)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn("such thing", done.err)
        self.assertNotIn("never asked", self.server.questions())

    def test_a_bad_line_is_named(self):
        for line, why in ((b"a\0b", "NUL"), (b"\xff?", "not UTF-8"), (b"x" * (MIB + 1), "1 MiB")):
            done = self.run_rag("chat", "--json", stdin=b"tea?\n" + line + b"\n", status=3)
            self.assertIn("standard input, line 2: ", done.err)
            self.assertIn(why, done.err)
            self.assertEqual(len(done.stdout.splitlines()), 1)
        many = b"".join(b"x" * 1000 + b"\\\n" for _ in range(1100))
        self.assertIn("too long", self.run_rag("chat", stdin=many, status=3).err)

    def test_an_input_that_cannot_be_read_is_told(self):
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        child = self.start("chat", stdin=folder, stderr=subprocess.PIPE)
        self.assertIn(b"Is a directory", child.communicate(timeout=60)[1])
        self.assertEqual(child.returncode, 3)

    def test_an_output_that_is_full_or_gone_ends_it(self):
        with open("/dev/full", "wb") as full:
            child = self.start("chat", stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE)
            said = child.communicate(b"tea?\nwater?\n", 60)[1]
        self.assertEqual((child.returncode, said.count(b"\n")), (3, 1))
        self.assertIn(b"rag: standard output: ", said)

    def test_ctrl_c_ends_it_while_it_waits_and_while_it_answers(self):
        child = self.start("chat", "--llm", "openai:m", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdin.write(b"tea?\n")
        child.stdin.flush()
        shown = b""
        while b"[1] " not in shown:
            shown += child.stdout.read1()
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(60), -signal.SIGINT)
        child = self.start("chat", "--llm", "openai:m", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdin.write(b"slow?\ntea?\n")
        child.stdin.flush()
        child.stdout.read1()
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(60), 130)
        self.assertEqual(self.server.questions(), ["tea?", "slow?"])


if __name__ == "__main__":
    main()
