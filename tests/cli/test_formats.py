#!/usr/bin/env python3
"""test_formats.py RAG: an answer as text, JSON, Markdown and HTML, with a server that plays a
language model, and what of it the passages do not bear out."""
import html.parser
import re

from fake_model import Server
from support import Case, main

QUESTION = "When are tomatoes planted? doubtful"
WRONG = "They need 37 litres of water [1]."


class Page(html.parser.HTMLParser):
    """What a page refers to, and its elements."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.policy, self.ids = [], [], "", set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        self.ids.add(attributes.get("id"))
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]


class Formats(Case):
    def setUp(self):
        super().setUp()
        server = Server()
        self.addCleanup(server.close)
        self.env.update(OPENAI_BASE_URL=server.url)
        self.write_documents()
        self.run_rag("index", "docs", "--quiet")

    def ask(self, *arguments):
        done = self.run_rag("ask", QUESTION, "--mode", "lexical", "--llm", "openai:m", "--quiet",
                            *arguments)
        return done.stdout.decode()

    def test_json_has_each_sentence_with_its_support(self):
        for option in (["--json"], ["--format", "json"]):
            answer, = self.objects("ask", QUESTION, "--mode", "lexical", "--llm", "openai:m",
                                   *option)
            supports = {s["text"]: s["support"] for s in answer["statements"]}
            self.assertEqual(supports["Tomatoes are planted after the last frost [1]."],
                             "supported")
            self.assertEqual(supports[WRONG], "unsupported")
            self.assertEqual(supports["Nobody cites this."], "uncited")
            self.assertEqual(answer["dropped"], 1)
            wrong = next(s for s in answer["statements"] if s["text"] == WRONG)
            self.assertEqual(wrong["missing"], "37")
            begin, end = wrong["bytes"]
            self.assertEqual(answer["answer"].encode()[begin:end].decode(), WRONG)

    def test_text_lists_what_is_not_borne_out(self):
        shown = self.ask()
        self.assertIn("Not borne out by the passages cited:\n  ! " + WRONG, shown)
        self.assertIn("(not there: 37)", shown)
        self.assertIn("1 citations of passages that do not exist", shown)
        self.assertEqual(shown, self.ask("--format", "text"))

    def test_markdown_has_sources_and_doubts(self):
        shown = self.ask("--format", "markdown")
        self.assertRegex(shown, r"\n\[1\] `.*garden\.md`, lines \d+ to \d+\n\n> ")
        self.assertIn("**?** " + WRONG, shown)

    def test_a_page_stands_on_its_own_and_runs_nothing_of_the_model(self):
        text = self.ask("--format", "html")
        page = Page(text)
        self.assertIn("default-src 'none'", page.policy)
        self.assertNotIn("unsafe", page.policy)
        self.assertTrue(page.links)
        for link in page.links:
            self.assertRegex(link, r"^#p\d+$")
            self.assertIn(link[1:], page.ids)
        self.assertNotIn("alert(1)", text)
        self.assertIn('class="doubt"', text)
        self.assertIn("not there: 37", text)
        self.assertIn('<span class="math">x^2 &lt; y</span>', text)
        self.assertIn("<code>a[1]</code>", text)
        self.assertIn("<mark>", text)
        self.assertEqual(len(re.findall("<script>", text)), page.tags.count("script"))

    def test_an_unknown_format_is_refused(self):
        done = self.run_rag("ask", QUESTION, "--format", "pdf", status=2)
        self.assertIn("--format", done.err)


if __name__ == "__main__":
    main()
