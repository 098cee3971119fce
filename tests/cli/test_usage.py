#!/usr/bin/env python3
"""How the program explains itself: help, man page, wrong usage, exit statuses."""
import re
import shutil
import subprocess
import unicodedata

from support import Case, RAG, main

COMMANDS = ("index search show open ask chat llm chunk tokenize embed rerank model info verify repair compact remove "
            "eval").split()


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Help(Case):
    def test_every_command_has_help_with_an_example_in_eighty_columns(self):
        overview = self.text("--help")
        for command in COMMANDS:
            shown = self.text(command, "--help")
            self.assertTrue(shown.startswith(f"usage: rag {command} "), shown)
            self.assertRegex(shown, rf"\nexamples:\n(  .*\n)*  .*rag {command}")
            self.assertIn("\n  " + command + " ", overview)
            self.assertEqual(self.text("help", command), shown)
            self.assertEqual(self.text(command, "-h"), shown)
            for line in (overview + shown).split("\n"):
                self.assertLessEqual(columns(line), 80, line)

    def test_help_behind_a_double_dash_is_an_argument(self):
        self.run_rag("search", "--", "--help", status=4)

    def test_the_overview_names_environment_and_statuses(self):
        shown = self.text("--help")
        for name in ("RAG_INDEX", "RAG_MODELS", "RAG_LLM", "RAG_PROVIDERS", "XDG_STATE_HOME",
                     "NO_COLOR", "130"):
            self.assertIn(name, shown)

    def test_the_version_is_printed(self):
        self.assertRegex(self.text("--version"), r"^rag \d+\.\d+\.\d+\n$")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([RAG, "--help"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"standard output: No space left", done.stderr)


class Manual(Case):
    def test_the_man_page_is_roff_without_a_warning(self):
        page = self.run_rag("help", "--man").stdout
        page.decode("ascii")
        checkers = [["groff", "-wall", "-man", "-Tutf8"], ["mandoc", "-Tlint", "-Wwarning"]]
        for checker in checkers:
            if not shutil.which(checker[0]):
                continue
            done = subprocess.run(checker, input=page, capture_output=True)
            said = done.stderr + (done.stdout if checker[0] == "mandoc" else b"")
            # A date would make the page differ from build to build.
            said = b"\n".join(line for line in said.split(b"\n") if b"missing date" not in line)
            self.assertEqual((done.returncode, said.strip()), (0, b""), checker)

    def test_no_line_is_a_request_that_the_writer_did_not_mean(self):
        for line in self.text("help", "--man").split("\n"):
            if line[:1] in (".", "'"):
                self.assertRegex(line, r"^\.(TH|SH|SS|TP|PP|B|nf|fi)\b")

    def test_the_man_page_has_every_command_option_and_example(self):
        page = self.text("help", "--man").replace("\\-", "-").replace("\\(dq", '"')
        page = re.sub(r"\\\[u([0-9A-F]+)\]", lambda m: chr(int(m[1], 16)), page)
        page = page.replace("\\(ti", "~").replace("\\(aq", "'").replace("\\&", "")
        page = page.replace("\\e", "\\")
        for command in COMMANDS:
            section = re.search(rf"\n\.SS rag {command} .*?(?=\n\.S[SH])", page, re.S)[0]
            shown = self.text(command, "--help")
            for option in re.findall(r"^ .{4}--([a-z-]+)", shown, re.M):
                self.assertIn(f"--{option}\\fR", section)
            self.assertIn(shown[shown.index("examples:\n"):].strip(), section)


class WrongUsage(Case):
    def refused(self, *arguments):
        done = self.run_rag(*arguments, status=2)
        self.assertEqual(done.stdout, b"")
        self.assertIn("--help", done.err)
        self.assertEqual(done.err.count("\n"), 1, done.err)
        return done.err

    def test_an_unknown_command_is_named(self):
        self.assertIn('"serch"', self.refused("serch", "x"))
        self.assertIn('"serch"', self.refused("help", "serch"))
        self.assertIn("usage:", self.run_rag(status=2).err)

    def test_an_unknown_option_is_named(self):
        for arguments, named in ((("--foo",), "--foo"), (("-z",), "-z"), (("-zq",), "-z"),
                                 (("-qz",), "-z"), (("q", "-z"), "-z"),
                                 (("--chunker", "window"), "--chunker")):
            said = self.refused("search", *arguments)
            self.assertIn(f"{named} is not an option of rag search", said)

    def test_a_bad_value_is_named(self):
        for option, value in (("--mode", "fuzzy"), ("-k", "ten"), ("-k", "-1"), ("-k", "0"),
                              ("-k", "10001"), ("-k", "1e3"), ("-k", " 5"), ("-k", ""),
                              ("--candidates", "0"), ("--index", ""),
                              ("-k", "99999999999999999999999"), ("--precision", "f64")):
            said = self.refused("search", "question", option, value)
            self.assertIn(f'"{value}"', said)
        for arguments in (("--chunker", "page"), ("--max-tokens", "0"), ("--overlap", "-2")):
            self.assertIn(f'"{arguments[1]}"', self.refused("index", "docs", *arguments))
        for heads in ("dense,colour", "", ","):
            self.assertIn(f'"{heads}"', self.refused("embed", "--heads", heads))
        self.assertIn('"title"', self.refused("embed", "--as", "title"))

    def test_a_value_too_few_or_too_many_is_told(self):
        self.assertIn("--index needs a value", self.refused("search", "x", "--index"))
        self.assertIn("-k needs a value", self.refused("search", "x", "-k"))
        self.assertIn("--json takes no value", self.refused("search", "x", "--json=yes"))

    def test_missing_and_surplus_arguments_are_told(self):
        self.assertIn("QUESTION", self.refused("search"))
        self.assertIn('"two"', self.refused("search", "one", "two"))
        self.assertIn("PATH", self.refused("index"))
        self.assertIn('"x"', self.refused("info", "x"))
        for arguments in (("model",), ("model", "add"), ("model", "pull"), ("model", "list", "x"),
                          ("model", "delete", "x")):
            self.refused(*arguments)

    def test_an_empty_question_is_refused(self):
        self.write_documents()
        self.run_rag("index", "docs")
        for command in ("search", "ask"):
            self.assertIn("question is empty", self.run_rag(command, " ", status=2).err)

    def test_options_may_stand_behind_arguments_and_be_joined(self):
        self.write_documents()
        self.run_rag("index", "docs", "--quiet", "-imine.rag")
        shown = self.objects("search", "tomatoes", "-k1", "--json", "--index=mine.rag")
        self.assertEqual([hit["rank"] for hit in shown], [1])

    def test_an_argument_that_looks_like_an_option_follows_a_double_dash(self):
        self.write("-docs/a.md", "# Tomatoes\n\nred\n")
        self.run_rag("index", "--", "-docs")
        hit, = self.objects("search", "--json", "--mode", "lexical", "--", "-tomatoes")
        self.assertTrue(hit["document"].endswith("/-docs/a.md"))


if __name__ == "__main__":
    main()
