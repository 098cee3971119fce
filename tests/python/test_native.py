"""_native.py says what rag.h says: every function, every struct to the byte, every number."""

import ctypes
import os
import re
import shutil
import subprocess
import sys

from support import SOURCE, Case, main

import rag
from rag import _native, errors

HEADER = (SOURCE / "include" / "rag.h").read_text(encoding="utf-8")
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)


def declared_functions():
    """name -> number of arguments, of all that the header exports."""
    found = {}
    pattern = r"(?:RAG_API|RAG_CHECKED)\s+[^;()]*?\b(rag_\w+)\(([^;]*?)\);"
    for name, arguments in re.findall(pattern, CODE):
        arguments = " ".join(arguments.split())
        found[name] = 0 if arguments == "void" else arguments.count(",") + 1
    return found


def declared_structs():
    """name -> its fields, of all structs that the header spells out."""
    found = {}
    for body, name in re.findall(r"typedef struct rag_\w+ \{(.*?)\} (rag_\w+);", CODE, re.DOTALL):
        fields = []
        for declaration in body.split(";"):
            for part in declaration.split(","):
                words = re.findall(r"\w+", part.split("[")[0])
                if words:
                    fields.append(words[-1])
        found[name] = fields
    return found


def run_c(case, body):
    """What a C program that includes rag.h prints."""
    source, program = case.folder / "layout.c", case.folder / "layout"
    source.write_text(
        '#include "rag.h"\n#include <stdio.h>\n#include <stddef.h>\nint main(void) {\n'
        f"{body}\nreturn 0;\n}}\n"
    )
    compiler = os.environ.get("CC") or shutil.which("cc") or "gcc"
    subprocess.run(
        [compiler, "-std=c11", "-I", str(SOURCE / "include"), str(source), "-o", str(program)],
        check=True,
    )
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


class Declarations(Case):
    def test_every_function_of_the_header_is_declared_with_its_arguments(self):
        wanted = declared_functions()
        self.assertEqual(len(wanted), len(re.findall(r"^RAG_(?:API|CHECKED)\b", CODE, re.M)))
        given = {name: len(arguments) for name, (_, arguments) in _native.FUNCTIONS.items()}
        self.assertEqual(given, wanted)

    def test_every_function_is_in_the_library(self):
        for name in _native.FUNCTIONS:
            self.assertTrue(callable(getattr(_native.lib, name)), name)

    def test_every_struct_has_the_fields_sizes_and_offsets_of_the_header(self):
        wanted = declared_structs()
        self.assertGreater(len(wanted), 25)
        self.assertEqual(set(_native.STRUCTS), set(wanted))
        lines = []
        for name, fields in wanted.items():
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            for field in fields:
                lines.append(
                    f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), '
                    f"sizeof((({name} *)0)->{field}));"
                )
        given = []
        for name, fields in wanted.items():
            struct = _native.STRUCTS[name]
            given.append(f"{name} {ctypes.sizeof(struct)}")
            self.assertEqual([field[0] for field in struct._fields_], fields, name)
            for field in fields:
                place = getattr(struct, field)
                given.append(f"{name}.{field} {place.offset} {place.size}")
        self.assertEqual(run_c(self, "\n".join(lines)).split("\n")[:-1], given)

    def test_every_number_is_that_of_the_header(self):
        values = {f"RAG_{name}": i for i, name in enumerate(_native.STATUS)}
        values.update({f"RAG_{name.upper()}": bit for name, bit in _native.HEADS.items()})
        values.update({f"RAG_{name.upper()}": n for name, n in _native.ROLE.items()})
        values.update({f"RAG_{name.upper()}": n for name, n in _native.CHAT_ROLE.items()})
        values.update({f"RAG_PRECISION_{n.upper()}": v for n, v in _native.PRECISION.items()})
        values.update({f"RAG_CHUNKER_{n.upper()}": v for n, v in _native.CHUNKER.items()})
        values.update({
            "RAG_HYBRID": _native.MODE["hybrid"],
            "RAG_MODE_DENSE": _native.MODE["dense"],
            "RAG_MODE_LEXICAL": _native.MODE["lexical"],
            "RAG_EVENT_PROGRESS": _native.EVENT_PROGRESS,
            "RAG_EVENT_WARNING": _native.EVENT_WARNING,
            "RAG_EVENT_NOTE": _native.EVENT_NOTE,
            "RAG_AUTO": _native.AUTO,
            "RAG_CHAT_RETRIES": _native.CHAT_RETRIES,
        })
        said = run_c(self, "\n".join(f'printf("%zu\\n", (size_t)({name}));' for name in values))
        self.assertEqual([int(line) for line in said.split()], list(values.values()))
        self.assertIn(f'#define RAG_VERSION "{_native.VERSION}"', HEADER)


class Errors(Case):
    def test_each_status_has_a_class_with_the_programs_exit_status(self):
        for number, status in enumerate(_native.STATUS[1:], 1):
            error = errors.error_for(status, "what happened")
            self.assertEqual(error.status, status)
            self.assertEqual(error.exit_status, _native.lib.rag_status_exit(number), status)
            self.assertEqual(str(error), "what happened")

    def test_the_classes_are_also_the_builtin_ones_that_fit(self):
        self.assertTrue(issubclass(rag.UsageError, ValueError))
        self.assertTrue(issubclass(rag.OutOfMemoryError, MemoryError))
        for name in ("StoreBusyError", "MismatchError"):
            self.assertTrue(issubclass(getattr(rag, name), rag.StoreError))
        self.assertTrue(issubclass(rag.ModelMissingError, rag.ModelError))
        for name in ("AuthError", "LimitError"):
            self.assertTrue(issubclass(getattr(rag, name), rag.NetworkError))


class Import(Case):
    def run_python(self, code, **env):
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, **env},
        )

    def test_all_that_the_package_promises_is_there(self):
        for name in rag.__all__:
            self.assertTrue(hasattr(rag, name), name)
        self.assertEqual(rag.__all__, sorted(rag.__all__))

    def test_importing_it_does_not_load_numpy(self):
        result = self.run_python("import rag, sys; print('numpy' in sys.modules)")
        self.assertEqual((result.stdout, result.stderr), ("False\n", ""))

    def test_a_library_that_cannot_be_loaded_is_named_with_what_to_do(self):
        result = self.run_python("import rag", RAG_LIBRARY="/nonexistent/librag.so")
        self.assertIn("ImportError: RAG_LIBRARY=/nonexistent/librag.so cannot be loaded",
                      result.stderr)


if __name__ == "__main__":
    main()
