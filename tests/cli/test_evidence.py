#!/usr/bin/env python3
"""test_evidence.py RAG MODELS: questions that the documents do not answer, with the default
model, for which the evidence is calibrated."""
from fake_model import ANSWER, Server
from support import ARGUMENTS, Case, main

TEXTS = ("Tomatoes are planted in May.", "Green tea takes water of eighty degrees.",
         "The oven is heated for ten minutes.", "The train to Basel leaves at nine.",
         "Bees dance to show where flowers are.", "The bridge was closed in winter.",
         "Copper conducts electricity well.", "Whales breathe air.", "The library opens at ten.",
         "Rye bread keeps for a week.", "The river floods every spring.", "Glass is made of sand.")
QUESTION = "When are tomatoes planted?"
UNANSWERED = "Who composed the opera about the flying Dutchman?"


class Evidence(Case):
    def setUp(self):
        super().setUp()
        self.env["RAG_MODELS"] = ARGUMENTS[0]
        del self.env["RAG_MODEL"]
        for i, text in enumerate(TEXTS):
            self.write(f"docs/{i:02}.md", f"# Note {i}\n\n{text}\n")
        self.run_rag("index", "docs", "--quiet")

    def test_a_question_beyond_the_documents_ends_with_status_1_and_the_nearest_passages(self):
        for form in ((), ("--no-stream",)):
            done = self.run_rag("ask", UNANSWERED, "--quiet", *form, status=1)
            shown = done.stdout.decode()
            answer, nearest = shown.split("\n\nThe nearest passages:\n")
            self.assertTrue(answer.strip())
            self.assertRegex(nearest, r"^    docs/\d\d\.md:")
            self.assertEqual(done.err, "")

    def test_json_has_found_and_evidence(self):
        row, = self.objects("ask", UNANSWERED, "--json", status=1)
        self.assertEqual((row["found"], row["citations"], row["llm"]), (False, [], ""))
        self.assertTrue(row["answer"] and row["hits"])
        self.assertEqual((row["question"], row["searched"]), (UNANSWERED, UNANSWERED))
        self.assertEqual(row["usage"]["requests"], 0)
        good, = self.objects("ask", QUESTION, "--json")
        self.assertTrue(good["found"] and good["citations"])
        self.assertLess(row["evidence"], 0.1)
        self.assertGreater(good["evidence"], row["evidence"])

    def test_the_bar_can_be_moved(self):
        self.run_rag("ask", UNANSWERED, "--min-evidence", "0")
        self.run_rag("ask", QUESTION, "--min-evidence", "1", status=1)
        for value in ("2", "-1", "x", "nan", ""):
            self.run_rag("ask", QUESTION, "--min-evidence", value, status=2)

    def test_a_conversation_goes_on_and_asks_no_model_for_it(self):
        server = Server()
        self.addCleanup(server.close)
        shown = self.text("chat", "--llm", "openai:m", stdin=f"{UNANSWERED}\n{QUESTION}\n",
                          OPENAI_BASE_URL=server.url)
        refusal, answer = shown.split(ANSWER, 1)
        self.assertIn("The nearest passages:\n    docs/", refusal)
        self.assertIn("[1] docs/", answer)
        self.assertEqual(server.questions(), [QUESTION])


if __name__ == "__main__":
    main()
