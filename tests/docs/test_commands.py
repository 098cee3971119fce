#!/usr/bin/env python3
"""test_commands.py RAG MODELS LIBRAG.SO [PYTHON GGUF]: what the documentation says to type works.

The commands of each page run in order, in one shell, in a folder of their own with a home of its
own: those of its ```sh blocks and those behind "$ " in what it shows of a terminal. So do its
```python blocks, and the examples (```pycon) of the Python package's reference. What they print is
not compared. The default model is the real one; the hub is tests/model/hub_server.py, which has
small models of random weights under the names of large ones; language models are
tests/chat/fault_server.py's well-behaved parts, and a real one behind llama-server's address with
PYTHON and GGUF. Nothing can reach the network.

A command that is not in RUN must be in NOT_RUN, with the reason. Code spans such as `rag verify`
are not run: their command and options are looked up in the program's help.
"""
import importlib.util
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "cli"))
from support import ARGUMENTS, Case, DEADLINE, EMBEDDER, RAG, RERANKER, environment, main, server

MODELS, LIBRARY = map(pathlib.Path, ARGUMENTS[:2])
LANGUAGE_MODEL = ARGUMENTS[2:]
DEFAULT = "intfloat/multilingual-e5-small"
PAGES = sorted([SOURCE / "README.md", SOURCE / "README.zh-CN.md", SOURCE / "CONTRIBUTING.md",
                *SOURCE.glob("docs/**/*.md")])

RUN = {"rag", "cat", "cd", "cp", "echo", "export", "mkdir", "printf"}

#: What cannot run here: the beginning of the command, and why.
NOT_RUN = {
    "tools/quickstart": "installs Debian's packages and builds; tools/run-tests begins with it",
    "tools/run-tests": "it is what runs this",
    "tools/install-dependencies": "installs Debian's packages; tools/run-tests does",
    "rag watch": "has no end; tests/cli/test_watch.py runs it",
    "cmake": "builds; tools/run-tests does, and check_install installs",
    "ctest": "it is what runs this",
    "build/": "programs of other builds; tools/run-tests replays their corpora",
    "pip install": "builds a wheel; check_wheel does that and uses it",
    "python3 tools/get-models": "fetches from the package index; tools/run-tests does",
    "python3 bench/": "minutes on an idle machine, with peers from the package index",
    "bench/": "minutes on an idle machine, with sets that are not part of the project",
}

#: Languages of blocks in which there is nothing to run.
SHOWN_ONLY = {"", "c", "json", "pyi", "text"}

#: Pages that go on from an index: that of tools/quickstart, or of the guide.
GO_ON = {"README.md", "README.zh-CN.md", "docs/providers.md"}

LOCAL_ADDRESS = "http://localhost:8080/v1"

DOCUMENTS = {
    "attention.md": "# Attention\n\n## Scaled dot-product attention\n\nScaled dot-product attention "
                    "works so: the dot products of the queries with the keys are divided by the "
                    "square root of their length, and the softmax of that weighs the values.\n\n"
                    "缩放点积注意力把查询和键的点积除以长度的平方根，再用softmax加权求和。\n",
    "dropout.md": "---\nyear: 2024\nauthor: Ann\n---\n\n# Dropout\n\nDropout sets random activations to zero while a network is trained, "
                  "so that no layer relies on a single neuron.\n",
    "残差网络.md": "# 残差网络\n\n残差连接把输入加到输出上，使很深的网络也容易训练。符号链接和硬链接"
                   "有什么区别？硬链接共用同一个inode号。\n",
    "papers/entropy.txt": "Entropy counts the states that look alike.\n",
    "old/umask.txt": "The command umask restricts the permissions that a new file is given.\n",
}

PASSAGES = '{"id": "p1", "text": "绿茶用八十度的水冲泡。"}\n' \
           '{"id": "p2", "text": "烤箱需要预热十分钟。"}\n'
QUERIES = '{"id": "q1", "text": "绿茶用什么温度的水？"}\n'


class Block:
    """A block of code of a page."""

    def __init__(self, page, line, language, text):
        self.place = f"{page.relative_to(SOURCE)}:{line}"
        self.language = language
        self.text = text


def blocks_of(page):
    """The fenced and the indented blocks of a page, in order."""
    language, begin, lines, before = None, 0, [], ""
    for number, line in enumerate([*page.read_text(encoding="utf-8").split("\n"), ""], 1):
        fence = re.match(r"```(.*)$", line)
        if language is None and fence:
            language, begin, lines = fence[1].strip(), number + 1, []
        elif language is not None and language != "indented" and fence:
            yield Block(page, begin, language, "\n".join(lines))
            language = None
        elif language is None and line.startswith("    ") and not before.strip():
            language, begin, lines = "indented", number, [line[4:]]
        elif language == "indented" and line and not line.startswith("    "):
            yield Block(page, begin, language, "\n".join(lines))
            language = None
        elif language == "indented":
            lines.append(line[4:])
        elif language is not None:
            lines.append(line)
        before = line
    if language == "indented":
        yield Block(page, begin, language, "\n".join(lines))


def words_of(command):
    """The words of a command's first line, operators apart; an error if a quote is open."""
    lexer = shlex.shlex(command.split("<<", 1)[0], posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    return list(lexer)


def commands_of(text):
    """The commands of a shell block: (offset of its line, command), each maybe of some lines."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        begin, command = at, lines[at]
        at += 1
        here = re.search(r"<<\s*'?(\w+)'?", command)
        while at < len(lines) and (command.endswith("\\") or (here and lines[at - 1] != here[1]) or
                                   not is_whole(command)):
            command += "\n" + lines[at]
            at += 1
        if words_of(command):
            yield begin, command


def is_whole(command):
    try:
        words_of(command)
    except ValueError:
        return False
    return True


def programs_of(command):
    """The simple commands of a line: words without variables before them."""
    simple = [[]]
    for word in words_of(command.replace("\\\n", " ")):
        if set(word) <= set("|&;"):
            simple.append([])
        elif simple[-1] or not re.match(r"[A-Z_]+=", word):
            simple[-1].append(word)
    return [words for words in simple if words]


def shown_commands(text):
    """What stands behind "$ " in a block that shows a terminal."""
    for offset, line in enumerate(text.split("\n")):
        if line.startswith("$ "):
            yield offset, line[2:]


def reason_not_to_run(words):
    line = " ".join(words)
    return next((begin for begin in NOT_RUN if line.startswith(begin)), None)


def missing_module(code):
    """A module that is imported and not there."""
    for name in re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE):
        top = name.split(".")[0]
        needed = {"rag.langchain": "langchain_core", "rag.llamaindex": "llama_index"}.get(name, top)
        if needed != "rag" and importlib.util.find_spec(needed) is None:
            return needed
    if re.search(r"\.embed\(", code) and importlib.util.find_spec("numpy") is None:
        return "numpy"
    return None


class Commands(Case):
    """One page a test."""

    @classmethod
    def setUpClass(cls):
        chat = HERE.parent / "chat"
        port = server(sys.executable, chat / "fault_server.py", "secret",
                      HERE.parent / "data/chat/untrusted.pem")
        cls.openai = f"http://127.0.0.1:{port}/ok/v1"
        cls.ollama = f"http://127.0.0.1:{port}/ollama"
        cls.local = cls.openai
        if LANGUAGE_MODEL:
            python, gguf = LANGUAGE_MODEL
            cls.local = f"http://127.0.0.1:{server(python, chat / 'serve_llm.py', gguf)}/v1"

    def setUp(self):
        super().setUp()
        self.home, self.work = self.folder / "home", self.folder / "work"
        models = self.folder / "models"
        (models / DEFAULT).parent.mkdir(parents=True)
        (models / DEFAULT).symlink_to(MODELS / DEFAULT)
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "rag").symlink_to(RAG)
        base = environment()
        self.env = environment(
            HOME=self.home, PATH=f"{programs}:{base['PATH']}", RAG_MODELS=models,
            HF_ENDPOINT=self.start_hub(), PYTHONPATH=SOURCE / "python", RAG_LIBRARY=LIBRARY,
            PYTHONDONTWRITEBYTECODE=1, EDITOR="true", LLAMA_BASE_URL=self.local, OLLAMA_HOST=self.ollama,
            # Nothing goes further than this machine.
            http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1",
            all_proxy="http://127.0.0.1:1", no_proxy="127.0.0.1,localhost")
        for name in ("OPENAI", "GEMINI", "SILICONFLOW", "DEEPSEEK", "DASHSCOPE", "ZHIPUAI"):
            self.env[f"{name}_API_KEY"] = "secret"
            self.env[f"{name}_BASE_URL"] = self.openai
        self.write_samples()

    def start_hub(self):
        """A hub with small models under the names of large ones."""
        hub = self.folder / "hub"
        for name, folder in (("bge-m3", EMBEDDER), ("bge-reranker-base", RERANKER)):
            shutil.copytree(folder, hub / "BAAI" / name)
        return f"http://127.0.0.1:{server(sys.executable, HERE.parent / 'model/hub_server.py', hub)}/plain"

    def write_samples(self):
        """What the pages take for granted."""
        for folder in ("home/Documents", "work/notes", "work/d2l-zh", "work/data/1"):
            for name, text in DOCUMENTS.items():
                self.write(f"{folder}/{name}", text)
        for name in ("xquad-zh", "mine"):
            self.write(f"work/sets/{name}/passages.jsonl", PASSAGES)
            self.write(f"work/sets/{name}/queries.jsonl", QUERIES)
            self.write(f"work/sets/{name}/qrels.tsv", "q1\tp1\t1\n")
        shutil.copytree(RERANKER, self.home / "Downloads/bge-reranker-base")

    # ---- From a page to a script

    def script_of(self, page):
        """The commands of a page as a script that says where it is; how many there are."""
        script, count = [], 0
        for block in blocks_of(page):
            if block.language == "python":
                steps = [self.python_step(block)]
            elif block.language == "pycon":
                steps = [self.example_step(block)]
            else:
                steps = list(self.shell_steps(block))
            for place, step in filter(None, steps):
                script.append(f"at={shlex.quote(place)}\n{step}\n")
                count += 1
        return "".join(script), count

    def shell_steps(self, block):
        path, line = block.place.rsplit(":", 1)
        if block.language == "sh":
            found = commands_of(block.text)
        else:
            self.assertIn(block.language, {"indented", *SHOWN_ONLY},
                          f"{block.place}: no known language of a block")
            found = shown_commands(block.text)
            first = (block.text.split() or [""])[0]
            if block.language == "indented":
                known = first in RUN or any(block.text.startswith(b) for b in NOT_RUN)
                self.assertFalse(known, f"{block.place}: commands stand in a ```sh block")
        for offset, command in found:
            place = f"{path}:{int(line) + offset}"
            if self.is_to_run(place, command):
                yield place, self.adapted(command)

    def is_to_run(self, place, command):
        for words in programs_of(command):
            if reason_not_to_run(words):
                return False
            self.assertIn(words[0], RUN, f"{place}: neither run nor in the list of what is not")
        return True

    def adapted(self, command):
        """What only this place needs: the server's address, and somebody who types."""
        command = command.replace(LOCAL_ADDRESS, self.local)
        if re.match(r"(\w+=\S+ )*rag chat\b", command) and not re.search(r"[|<]", command):
            command = re.sub(r"\s+#.*", "", command)
            command += " <<<$'What is dropout?\\nAnd what is it good for?\\n/sources'"
        return command

    def python_step(self, block):
        missing = missing_module(block.text)
        if missing:
            print(f"left out: {block.place}, for there is no {missing}")
            return None
        code = block.text.replace(LOCAL_ADDRESS, self.local)
        return block.place, f"{shlex.quote(sys.executable)} - <<'END_OF_BLOCK'\n{code}\nEND_OF_BLOCK"

    def example_step(self, block):
        """An example of the reference, with what the text around it has: rag, and an index."""
        lines = [line[4:] for line in block.text.split("\n") if line[:3] in (">>>", "...")]
        code = ['import rag', 'index = rag.Index("notes.rag")', 'index.add(["notes"])', *lines]
        missing = missing_module("\n".join(code))
        if missing:
            print(f"left out: {block.place}, for there is no {missing}")
            return None
        pull = "rag model pull -q BAAI/bge-m3 && " if "bge-m3" in block.text else ""
        code = "\n".join(code)
        return block.place, (f"{pull}{shlex.quote(sys.executable)} - <<'END_OF_BLOCK'\n{code}\n"
                             "END_OF_BLOCK")

    def check_nothing_is_passed_over(self, page, script):
        """Lines that look like a command of the program are in the script, whatever is around
        them; a summary of a command's choices (dense|lexical) is none."""
        name = page.relative_to(SOURCE)
        looks = re.compile(r"(    )?(\$ )?([A-Z_]+=\S+ )*rag (index|search|show|open|ask|chat|llm|chunk|tokenize|"
                           r"embed|rerank|model|info|verify|remove|eval)( (?!.*\w\|\w)|$)")
        for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
            if looks.match(line):
                self.assertIn(f"at={name}:{number}\n", script)

    def check_page(self, page):
        script, count = self.script_of(page)
        self.check_nothing_is_passed_over(page, script)
        if not count:
            return
        if str(page.relative_to(SOURCE)) in GO_ON:
            script = f"at='the index'\nrag index -q {shlex.quote(str(self.home))}/Documents\n{script}"
        whole = ("set -eu -o pipefail\n"
                 "trap 'echo \"FAILED: $at\" >&2' ERR\n" + script + "at='the end'\n")
        path = self.write("script.sh", whole)
        done = subprocess.run(["bash", path], cwd=self.work, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE * 3)
        self.assertEqual(done.returncode, 0, f"\n{done.stdout[-3000:]}")
        print(f"{page.relative_to(SOURCE)}: {count} steps")


for number, page in enumerate(PAGES):
    name = re.sub(r"\W", "_", str(page.relative_to(SOURCE).with_suffix("")))
    setattr(Commands, f"test_the_commands_of_{name}_work",
            lambda self, page=page: self.check_page(page))


class Pages(Case):
    """What holds for the pages without running them."""

    def test_the_list_of_what_is_not_run_has_nothing_that_is_not_there(self):
        used = {reason_not_to_run(words) for page in PAGES for block in blocks_of(page)
                if block.language == "sh" for _, command in commands_of(block.text)
                for words in programs_of(command)}
        self.assertEqual(sorted(set(NOT_RUN) - used), [])

    def test_both_readmes_give_the_same_commands(self):
        def commands(name):
            return [(block.language, [programs_of(c) for _, c in commands_of(block.text)])
                    if block.language == "sh" else
                    (block.language, [c for _, c in shown_commands(block.text)])
                    for block in blocks_of(SOURCE / name)]
        self.assertEqual(commands("README.md"), commands("README.zh-CN.md"))

    def test_links_lead_to_files(self):
        for page in PAGES:
            text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
                if not re.match(r"\w+:", target):
                    self.assertTrue((page.parent / target).exists(),
                                    f"{page.relative_to(SOURCE)}: {target}")

    def test_commands_in_running_text_exist(self):
        usage = self.text("--help")
        for page in PAGES:
            text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            for span in re.findall(r"`rag ([^`]+)`", text):
                with self.subTest(page=page.name, span=span):
                    self.check_span(span, usage)

    def check_span(self, span, usage):
        words = span.replace(r"\|", "|").split()
        if not re.fullmatch(r"[a-z]+", words[0]):  # `rag --help`, `rag COMMAND --help`
            return
        self.assertRegex(usage, rf"(?m)^  {words[0]} ")
        known = self.text(words[0], "--help")
        for option in (w for w in words[1:] if re.match(r"--?[a-z]", w) and w != "--help"):
            self.assertRegex(known, rf"(?m)(^  |, +| {{4}}){re.escape(option)}\b")


if __name__ == "__main__":
    main()
