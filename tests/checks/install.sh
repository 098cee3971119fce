#!/bin/sh
# What is installed can be used: install.sh BUILD SOURCE MODELS
#
# Installs into an empty DESTDIR and compiles examples/ask.c against it, by pkg-config with the
# shared and with the static library, and through the CMake package. Runs it if the folder of
# models has the default model.
set -eu
build=$1 source=$2 models=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DESTDIR="$work/root" cmake --install "$build" >"$work/log"
root=$(dirname "$(find "$work/root" -name rag.h)")/..
libraries=$(dirname "$(find "$work/root" -name librag.a)")
for file in bin/rag libexec/rag/rag-reader include/rag.h share/man/man1/rag.1; do
    [ -s "$root/$file" ] || { echo "$file is not installed"; exit 1; }
done
"$root/bin/rag" --version

PKG_CONFIG_PATH=$libraries/pkgconfig
export PKG_CONFIG_PATH
prefix=$(cd "$root" && pwd)
flags=$(pkg-config --define-variable=prefix="$prefix" --cflags --libs rag)
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror "$source/examples/ask.c" $flags -Wl,-rpath,"$libraries" -o "$work/ask"
static=$(pkg-config --define-variable=prefix="$prefix" --static --cflags --libs rag |
    sed "s|-lrag|$libraries/librag.a|")
# shellcheck disable=SC2086
cc -std=c11 "$source/examples/ask.c" $static -o "$work/ask-static"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
find_package(rag REQUIRED)
add_executable(ask $source/examples/ask.c)
target_link_libraries(ask PRIVATE rag::rag)
CMAKE
cmake -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" >>"$work/log"
cmake --build "$work/project/build" >>"$work/log"

if [ -d "$models/intfloat/multilingual-e5-small" ]; then
    mkdir "$work/notes"
    printf '# Garden\n\nTomatoes are planted in May, after the last frost.\n' >"$work/notes/garden.md"
    printf '# Kitchen\n\nThe oven needs ten minutes to heat up.\n' >"$work/notes/kitchen.md"
    for program in ask ask-static project/build/ask; do
        # What librag.a is linked into looks where rag was configured to be, which is not here.
        reader=
        [ $program = ask-static ] && reader=$prefix/libexec/rag/rag-reader
        (cd "$work" && rm -f ask.rag && RAG_READER=$reader RAG_MODELS=$models "./$program" notes "When do I plant tomatoes?") >"$work/answer"
        grep -q "after the last frost" "$work/answer"
        grep -q "\[1\] .*/notes/garden.md, line" "$work/answer"
    done
    echo "examples/ask.c answers, linked in three ways"
else
    "$work/ask" "$work/project" question && exit 1
    echo "examples/ask.c is built in three ways; $models has no default model to run it with"
fi
