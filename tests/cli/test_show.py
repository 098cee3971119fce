#!/usr/bin/env python3
"""test_show.py RAG: a hit is shown in its surroundings, and its file opened at the place. The
files are real ones: those of tests/data/readers, and archives of them. Editors and viewers are
scripts that write down what they were given, and what rag would run is held against that."""
import os
import pathlib
import shutil
import subprocess
import zipfile

from support import Case, HERE, main

READERS = HERE.parent / "data" / "readers"
GARDEN = ("# Garden\n\n" + "".join(f"Row {i} has tomatoes, which are planted in May.\n\n"
                                   for i in range(1, 41)) +
          "## Water\n\nCucumbers need water every evening in July.\n")
RECORDER = '#!/bin/sh\nprintf \'%s\\0\' "${0##*/}" "$@" >"$RECORD"\n'


def lines_of(data):
    """Without what encodings, and ways to end a line, make different."""
    return [line.strip() for line in bytes(c for c in data if c < 0x80).splitlines()]


class Hits(Case):
    def setUp(self):
        super().setUp()
        self.write("garden.md", GARDEN)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.env["RECORD"] = self.folder / "record"
        self.env = {name: str(value) for name, value in self.env.items()}

    def index(self, *paths, **more):
        self.run_rag("index", "-q", "--max-tokens", "100", *(paths or ["garden.md"]), **more)

    def found(self, question, *options):
        return self.objects("search", "--json", "-k1", "--mode", "lexical", *options, question)[0]

    def shown(self, *arguments, **more):
        return self.objects("show", "--json", *map(str, arguments), **more)[0]


class Show(Hits):
    def test_what_a_search_prints_of_a_hit_is_shown(self):
        self.index()
        printed = self.text("search", "-k1", "--mode", "lexical", "cucumbers")
        number = printed.split("(chunk ")[1].split(")")[0]
        hit = self.found("cucumbers")
        self.assertEqual(str(hit["chunk"]), number)
        quoted = self.text("ask", "--mode", "lexical", "-k1", "cucumbers water July")
        self.assertIn(f"(chunk {number})", quoted)
        asked, = self.objects("ask", "--mode", "lexical", "-k1", "--json", "cucumbers water July")
        self.assertEqual(asked["citations"][0]["chunk"], hit["chunk"])
        first, last = hit["lines"]
        for name in (number, f"#{number}", f"garden.md:{first}", f"garden.md:{first}-{last}",
                     f"./garden.md:{last}", self.folder / f"garden.md:{first}"):
            self.assertEqual(self.shown(name)["chunk"], hit["chunk"], name)
        self.assertEqual(self.shown("garden.md")["bytes"][0], 0)

    def test_the_three_texts_are_those_of_the_file(self):
        self.index()
        data, lines = GARDEN.encode(), GARDEN.split("\n")
        for line in (1, 21, 40, 83, 85):
            for around in (0, 1, 3, 1000):
                passage = self.shown("-C", around, f"garden.md:{line}")
                begin, end = passage["bytes"]
                before, text, after = (passage[name].encode()
                                       for name in ("before", "text", "after"))
                self.assertEqual(data[begin - len(before):end + len(after)], before + text + after)
                self.assertEqual(text, data[begin:end])
                first, last = passage["lines"]
                blank = not lines[line - 1]  # then it is what follows
                self.assertTrue(first - blank <= line <= last, (first, last, line))
                for side in (before, after):
                    self.assertLessEqual(len(side.split(b"\n\n")) - (not side.strip()),
                                         2 * around + 1)
                if around == 1000:
                    self.assertEqual((begin - len(before), end + len(after)),
                                     (0, len(data.rstrip())))
        self.assertEqual(self.shown("-C", 0, "-A", 2, "garden.md:21")["before"], "")
        two = self.shown("-C", 9, "-A", 2, "garden.md:21")["after"]
        self.assertEqual(len([line for line in two.split("\n") if line]), 2)

    def test_lines_are_numbered_as_in_the_file(self):
        self.index()
        shown = self.text("show", "garden.md:41")
        lines = GARDEN.split("\n")
        marked = 0
        for line in shown.split("\n")[2:]:
            mark, number, text = line[:1], line[1:8].strip(), line[10:]
            if number:
                self.assertEqual(text, lines[int(number) - 1])
            marked += mark == ">"
        self.assertGreater(marked, 1)
        self.assertIn(f">     41  {lines[40]}\n", shown)
        self.assertRegex(shown, r"\A.*garden\.md:\d+-\d+  Garden  \(chunk \d+\)\n\n ")

    def test_a_terminal_gets_colours_and_no_colour_none(self):
        self.index()
        status, seen = self.on_terminal("show", "garden.md:41")
        self.assertEqual(status, 0)
        self.assertIn(b"\x1b[2m ", seen)
        status, seen = self.on_terminal("show", "garden.md:41", NO_COLOR="1")
        self.assertNotIn(b"\x1b", seen)

    def test_control_characters_of_a_document_do_not_reach_the_terminal(self):
        self.write("bad.txt", "one \x1b]0;title\x07 two\n")
        self.index("bad.txt")
        self.assertIn(">      1  one ]0;title two", self.text("show", "bad.txt"))
        self.assertIn("\x1b]0;title\x07", self.shown("bad.txt")["text"])

    def test_what_became_of_the_file_is_told(self):
        self.index()
        path = self.folder / "garden.md"
        self.assertEqual(self.shown("garden.md")["file"], "same")
        os.utime(path, (1, 1))
        self.assertEqual(self.shown("garden.md")["file"], "same")
        path.write_text(GARDEN.replace("May", "Mai"))
        self.assertEqual(self.shown("garden.md")["file"], "changed")
        path.write_text("other")
        self.assertEqual(self.shown("garden.md")["file"], "changed")
        self.assertIn("\nThe file has changed since it was indexed.\n",
                      self.text("show", "garden.md"))
        path.unlink()
        self.assertEqual(self.shown("garden.md")["file"], "gone")
        shown = self.text("show", "garden.md:41")
        self.assertIn("\nThe file is not there any more.\n", shown)
        self.assertIn("planted in May", shown)

    def test_every_format_has_lines_or_a_place(self):
        files = [path for path in READERS.glob("**/*") if path.is_file() and path.suffix != ".py"
                 or path.match("source/*.py")]
        copies = []
        for path in files:
            copies.append(shutil.copy(path, self.folder / path.name))
        done = self.run_rag("index", *copies)
        self.assertIn(" added", done.stdout.decode() + done.err)
        texts = others = 0
        for path in map(pathlib.Path, copies):
            passage = self.shown(path, "-C", 0)
            first, last = passage["lines"]
            text = lines_of(passage["text"].encode())
            same = lines_of(path.read_bytes())[first - 1:last] == text
            shown = self.text("show", path).split("\n\n", 1)[1]
            numbered = shown.startswith(">      ")
            self.assertEqual(numbered, same, path.name)
            texts += same
            others += not same
        self.assertGreater(texts, 5)
        self.assertGreater(others, 15)

    def test_a_pdf_has_pages_and_an_archive_names(self):
        with zipfile.ZipFile(self.folder / "all.zip", "w") as archive:
            archive.write(READERS / "libreoffice.pdf", "report.pdf")
            archive.write(self.folder / "garden.md", "notes/garden.md")
        shutil.copy(READERS / "libreoffice.pdf", self.folder)
        self.index("all.zip", "libreoffice.pdf")
        self.assertEqual(self.shown("libreoffice.pdf")["place"], "page 1")
        self.assertIn("libreoffice.pdf:1-", self.text("show", "libreoffice.pdf"))
        self.assertIn(", page 1  (chunk", self.text("show", "libreoffice.pdf"))
        places = {self.found(word, "--path", "all.zip")["place"] for word in ("orchard", "cucumbers")}
        self.assertEqual(places, {"report.pdf, page 1", "notes/garden.md"})

    def test_a_long_line_is_not_shown_whole(self):
        self.write("long.txt", "".join(f"the word {i} 词语 is here, " for i in range(40000)) + "\n")
        self.index("long.txt")
        middle = self.found("\"word 20000\"")["chunk"]
        for lines in (1, 3):
            passage = self.shown("-C", lines, middle)
            for side in ("before", "after"):
                size = len(passage[side].encode())
                self.assertGreater(size, lines * 4096 - 4)
                self.assertLessEqual(size, lines * 4096)
                self.assertNotIn("\ufffd", passage[side])

    def test_collections_and_sources(self):
        self.index("--collection", "b", "garden.md")
        self.write("garden.md", "another garden\n")
        self.index("--collection", "a", "garden.md")
        self.run_rag("index", "-", "--input-name", "12", stdin="read from a pipe\n")
        self.assertEqual(self.shown("garden.md")["collection"], "a")
        b = self.shown("garden.md", "--collection", "b")
        self.assertEqual((b["collection"], b["text"][:8]), ("b", "# Garden"))
        self.run_rag("show", str(b["chunk"]), "--collection", "a", status=1)
        self.assertEqual(self.shown(b["chunk"])["collection"], "b")
        source = self.shown("12:1")
        self.assertEqual((source["document"], source["file"]), ("12", None))

    def test_what_is_not_there_is_told(self):
        self.index()
        self.write("empty.md", "\n")
        self.run_rag("index", "empty.md")
        for name, said in (("999", "no chunk 999"), ("nothing.md", "no document nothing.md"),
                           ("nothing.md:3", "no document nothing.md;"),
                           ("garden.md:86", "has 85 lines, and no line 86"),
                           ("garden.md:99999999999999999999", "no document"),
                           ("999999999999999999999", "no document"),
                           ("empty.md", "no passages")):
            self.assertIn(said, self.run_rag("show", name, status=1).err)
        self.run_rag("show", "", status=2)
        self.run_rag("show", "1", "--index", "none.rag", status=4)
        self.run_rag("show", "1", "-C", "10001", status=2)

    def test_a_number_is_a_chunk_and_another_name_for_a_file_of_that_name(self):
        self.write("1", "a file with a number for its name\n")
        self.index("garden.md", "1")
        self.assertEqual(self.shown("1")["chunk"], 1)
        self.assertIn("a file with a number", self.shown("./1")["text"])


class Open(Hits):
    def setUp(self):
        super().setUp()
        self.bash = shutil.which("bash", path=self.env["PATH"])
        self.env["PATH"] = str(self.bin)
        for name in ("xdg-open", "vim", "code", "hx", "emacsclient", "ed"):
            self.program(name)
        self.path = str(self.folder / "garden.md")

    def program(self, name):
        path = self.bin / name
        path.write_text(RECORDER)
        path.chmod(0o755)
        return path

    def opened(self, *arguments, **env):
        """What the program was given; and that rag says the same without running it."""
        record = pathlib.Path(self.env["RECORD"])
        record.unlink(missing_ok=True)
        said, = self.objects("open", "--print", "--json", *arguments, **env)
        self.assertFalse(record.exists())
        self.said = self.run_rag("open", *arguments, **env).err
        words = record.read_bytes().decode().split("\0")[:-1]
        self.assertEqual([pathlib.Path(said["command"][0]).name, *said["command"][1:]], words)
        self.assertEqual(said["at_place"], "The passage is at" not in self.said)
        return words

    def test_editors_open_text_at_the_line(self):
        self.index()
        line = self.shown("garden.md:41")["lines"][0]
        number = str(self.shown("garden.md:41")["chunk"])
        for editor, words in (
                ("vim", ["vim", f"+{line}", self.path]),
                ("code --wait", ["code", "--wait", "--goto", f"{self.path}:{line}"]),
                ("hx", ["hx", f"{self.path}:{line}"]),
                ("emacsclient -nw -a ''", ["emacsclient", "-nw", "-a", "", f"+{line}", self.path]),
                (f"'{self.bin}/vim'", ["vim", f"+{line}", self.path]),
                ("vim -c \"set nu\"", ["vim", "-c", "set nu", f"+{line}", self.path])):
            self.assertEqual(self.opened(number, EDITOR=editor), words)
            self.assertEqual(self.said, "")
        self.assertEqual(self.opened("garden.md:43", EDITOR="vim"), ["vim", "+43", self.path])
        self.assertEqual(self.opened("garden.md:43", VISUAL="hx", EDITOR="vim"),
                         ["hx", f"{self.path}:43"])

    def test_an_editor_that_is_not_known_is_not_told_the_line(self):
        self.index()
        self.assertEqual(self.opened("garden.md:43", EDITOR="ed"), ["ed", self.path])
        self.assertEqual(self.said, "The passage is at: line 43\n")
        self.assertEqual(self.run_rag("open", "-q", "garden.md:43", EDITOR="ed").err, "")

    def test_without_a_variable_the_usual_editors_are_looked_for(self):
        self.index()
        self.assertIn("set EDITOR", self.run_rag("open", "garden.md", status=3).err)
        self.program("vi")
        self.assertEqual(self.opened("garden.md"), ["vi", "+1", self.path])
        self.program("editor")
        self.assertEqual(self.opened("garden.md", EDITOR=" "), ["editor", "+1", self.path])

    def test_a_program_that_is_not_there_is_named(self):
        self.index()
        for variable in ("VISUAL", "EDITOR"):
            for value in ("emacs", "/nowhere/vim", "''"):
                done = self.run_rag("open", "garden.md", status=3, **{variable: value})
                self.assertIn(f"which {variable} names", done.err)
        script = self.bin / "vim"
        script.write_text("#!/nowhere/sh\n")
        self.assertIn("No such file", self.run_rag("open", "garden.md", EDITOR="vim", status=3).err)

    def test_the_exit_status_is_the_programs(self):
        self.index()
        (self.bin / "vim").write_text("#!/bin/sh\nexit 7\n")
        self.run_rag("open", "garden.md", EDITOR="vim", status=7)

    def test_a_pdf_is_opened_at_its_page(self):
        self.write("docs/long.pdf", b"")
        shutil.copy(READERS / "libreoffice.pdf", self.folder / "report.pdf")
        self.index("report.pdf")
        path = str(self.folder / "report.pdf")
        self.assertEqual(self.opened("report.pdf"), ["xdg-open", path])
        self.assertEqual(self.said, "The passage is at: page 1\n")
        for viewer, words in (("mupdf", [path, "1"]), ("zathura", ["-P", "1", path]),
                              ("okular", ["-p", "1", path]), ("evince", ["--page-index=1", path])):
            self.program(viewer)
            self.assertEqual(self.opened("report.pdf"), [viewer, *words])

    def test_other_files_are_opened_by_the_desktop(self):
        with zipfile.ZipFile(self.folder / "all.zip", "w") as archive:
            archive.write(self.folder / "garden.md", "notes/garden.md")
        for name in ("libreoffice.docx", "pandoc.html", "srt.srt"):
            shutil.copy(READERS / name, self.folder)
        self.index("all.zip", "libreoffice.docx", "pandoc.html", "srt.srt")
        self.assertEqual(self.opened("all.zip"), ["xdg-open", str(self.folder / "all.zip")])
        self.assertEqual(self.said, "The passage is at: notes/garden.md\n")
        for name in ("libreoffice.docx", "pandoc.html"):
            self.assertEqual(self.opened(name), ["xdg-open", str(self.folder / name)])
        self.assertEqual(self.opened("srt.srt", EDITOR="vim"), ["vim", str(self.folder / "srt.srt")])
        self.assertRegex(self.said, r"The passage is at: \d\d:\d\d:\d\d")
        (self.bin / "xdg-open").unlink()
        self.assertIn("install xdg-utils", self.run_rag("open", "pandoc.html", status=3).err)

    def test_a_changed_file_is_opened_with_a_warning_and_a_gone_one_is_not(self):
        self.index()
        self.write("garden.md", "other")
        self.opened("garden.md", EDITOR="vim")
        self.assertIn("has changed since it was indexed", self.said)
        (self.folder / "garden.md").unlink()
        done = self.run_rag("open", "garden.md", EDITOR="vim", status=3)
        self.assertIn("is not there any more; rag show 1 shows", done.err)

    def test_what_was_no_file_is_not_opened(self):
        for name in ("stdin", "javascript:alert(1)", "ftp://host/x.md", "-rf"):
            self.run_rag("index", "-", f"--input-name={name}", stdin="some text\n")
            done = self.run_rag("open", "--", name, EDITOR="vim", status=3)
            self.assertIn("is no file and no address", done.err)
        name = "https://host.example/a b'\"$(touch x).md"
        self.run_rag("index", "-", "--input-name", name, stdin="some text\n")
        self.assertEqual(self.opened(name, EDITOR="vim"), ["xdg-open", name])

    def test_no_shell_and_no_terminal_sees_a_hostile_name(self):
        for name in ("-$(touch gone);`touch gone`' \"x\".md", "+1.md", "two\nlines\x1b[2J.md",
                     "a:7.md", "%n%f.md"):
            path = self.write(f"docs/{name}", "some text\n")
            self.index(path)
            for editor, words in (("vim", ["vim", "+1", str(path)]),
                                  ("code", ["code", "--goto", f"{path}:1"])):
                self.assertEqual(self.opened(path, EDITOR=editor), words)
            printed = self.text("open", "--print", path, EDITOR="vim")
            self.assertEqual(printed.count("\n"), 1)
            self.assertNotIn("\x1b", printed)
            subprocess.run([self.bash, "-c", printed], env=self.env, check=True)
            given = pathlib.Path(self.env["RECORD"]).read_bytes().decode().split("\0")[:-1]
            self.assertEqual(given, ["vim", "+1", str(path)])
        self.assertEqual([p for p in self.folder.rglob("gone")], [])


if __name__ == "__main__":
    main()
