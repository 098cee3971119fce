#!/usr/bin/env python3
"""test_llm_list.py RAG: who can be asked, and the try of one."""
import json
import unicodedata

from fake_model import ANSWER, Server
from support import Case, main


class List(Case):
    def rows(self, **env):
        done = self.run_rag("llm", "list", "--json", **env)
        return {row["provider"]: row for row in map(json.loads, done.stdout.splitlines())}

    def test_providers_are_listed_without_their_keys(self):
        for form in ((), ("--json",)):
            shown = self.text("llm", "list", *form, GROQ_API_KEY="very-secret-key")
            self.assertNotIn("very-secret-key", shown)
            for text in ("gemini-2.5-flash", "GEMINI_API_KEY", "anthropic", "ollama"):
                self.assertIn(text, shown)

    def test_it_is_told_whether_a_key_is_set(self):
        rows = self.rows(GROQ_API_KEY="key", MISTRAL_API_KEY=" ")
        self.assertTrue(rows["groq"]["key_set"] and rows["groq"]["ready"])
        self.assertFalse(rows["mistral"]["key_set"] or rows["mistral"]["ready"])
        self.assertTrue(rows["ollama"]["ready"])
        self.assertEqual(rows["ollama"]["protocol"], "ollama")
        shown = self.text("llm", "list", GROQ_API_KEY="key")
        self.assertIn("(GROQ_API_KEY, set)", shown)
        self.assertIn("(MISTRAL_API_KEY, not set)", shown)

    def test_an_address_shows_no_password_and_no_control_character(self):
        for address in ("https://me:very-secret@example.com/v1",
                        "https://example.com/v1?key=very-secret"):
            for form in ((), ("--json",)):
                shown = self.text("llm", "list", *form, OPENAI_BASE_URL=address)
                self.assertNotIn("very-secret", shown)
        self.assertEqual(self.rows(OPENAI_BASE_URL="http://h/v1@2")["openai"]["base_url"],
                         "http://h/v1@2")
        shown = self.text("llm", "list", OPENAI_BASE_URL="http://h/\x1b[2J")
        self.assertEqual({c for c in shown if unicodedata.category(c) == "Cc"}, {"\n"})

    def test_a_file_of_providers_adds_to_them_and_a_bad_one_is_named(self):
        self.write("mine.json", json.dumps({"providers": {"mine": {
            "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}}}))
        row = self.rows(RAG_PROVIDERS="mine.json")["mine"]
        self.assertEqual((row["base_url"], row["default_model"], row["ready"]),
                         ("http://127.0.0.1:9/v1", "m", True))
        self.write("mine.json", "{")
        done = self.run_rag("llm", "list", status=3, RAG_PROVIDERS="mine.json")
        self.assertIn("mine.json", done.err)


class Try(Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.write("mine.json", json.dumps({"providers": {"mine": {
            "protocol": "openai", "base_url": self.server.url, "model": "m",
            "input_price": 1000, "output_price": 1000}}}))
        self.env["RAG_PROVIDERS"] = "mine.json"

    def test_reply_times_tokens_and_cost_are_shown(self):
        row, = self.objects("llm", "test", "mine", "--json")
        self.assertEqual((row["provider"], row["model"], row["reply"]), ("mine", "m", ANSWER))
        usage = row["usage"]
        self.assertLessEqual(0, usage["first_token_seconds"])
        self.assertLessEqual(usage["first_token_seconds"], usage["seconds"])
        tokens = usage["input_tokens"] + usage["output_tokens"]
        self.assertGreater(tokens, 0)
        self.assertAlmostEqual(usage["cost"], tokens * 1000 / 1e6)
        shown = self.text("llm", "test", "mine:other")
        self.assertTrue(shown.startswith(ANSWER + "\nmine:other at 127.0.0.1:"), shown)
        self.assertRegex(shown, r"first token after \d+\.\d\d s, \d+ tokens in, \d+ out "
                                r"\(estimated\), about \$0\.\d{4}, \d+\.\d s\n$")

    def test_what_is_missing_is_told(self):
        for arguments in (("test",), ("list", "x"), ("test", "a", "b"), ("remove",), ()):
            self.assertIn("--help", self.run_rag("llm", *arguments, status=2).err)
        self.assertIn("MISTRAL_API_KEY", self.run_rag("llm", "test", "mistral", status=6).err)
        self.assertIn("nobody", self.run_rag("llm", "test", "nobody", status=2).err)
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    main()
