#!/bin/sh
# A wheel built from the source tree works in an environment of its own that has no numpy:
# the package with its library, and the program.
#
# check_wheel.sh PYTHON SOURCE: a Python with pip and scikit-build-core.
set -eu
python=$1
source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset RAG_LIBRARY PYTHONPATH RAG_INDEX RAG_LLM
export RAG_MODELS="$folder/models"

fail() {
    echo "$1" >&2
    exit 1
}

"$python" -m pip wheel --quiet --no-deps --no-build-isolation -w "$folder/wheels" "$source"
wheel=$(echo "$folder"/wheels/*.whl)
case $(basename "$wheel") in
rag-*-py3-none-linux_*.whl) ;;
*) fail "the wheel is named $wheel" ;;
esac

"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --no-index "$wheel"
cd "$folder"
"$folder/venv/bin/python" -I - "$source/tests/data/encoder/bge-m3-like" <<'END'
import os, pathlib, sys, rag
import rag._native
package = pathlib.Path(rag.__file__).parent
loaded = rag._native.lib._library._name
assert loaded == str(package / "librag.so"), loaded
assert (package / "py.typed").exists()
assert not any(name.endswith(".h") for _, _, names in os.walk(package) for name in names)
try:
    import numpy
except ImportError:
    pass
else:
    raise SystemExit("this environment has numpy, so it proves nothing")
pathlib.Path("garden.md").write_text("# Garden\n\nTomatoes are planted in May.\n")
with rag.Model(sys.argv[1]) as model, rag.Index("i.rag", model=sys.argv[1]) as index:
    assert index.add("garden.md").chunks == 1
    hits = index.search("tomatoes", k=1)
    assert hits[0].document.endswith("garden.md") and hits[0].chunk.line == 1, hits
    assert len(model.embed_lists(["a"])[0]) == model.info.dimension
    try:
        model.embed(["a"])
    except rag.UsageError as error:
        assert "numpy" in str(error)
    else:
        raise SystemExit("embed() without numpy did not say what it needs")
END

version=$("$folder/venv/bin/rag" --version)
case $version in
*"$(sed -n 's/^#define RAG_VERSION "\(.*\)"/\1/p' "$source/include/rag.h")"*) ;;
*) fail "rag --version says: $version" ;;
esac
if LD_LIBRARY_PATH='' ldd "$folder/venv/bin/rag" | grep -E 'not found|librag'; then
    fail "the program does not stand alone"
fi
"$folder/venv/bin/rag" info --index i.rag >/dev/null || fail "the program cannot read the index"
