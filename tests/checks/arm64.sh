#!/bin/bash
# Every source of the library and the program compiles for arm64: arm64.sh ROOT
#
# Libraries are not linked, so this machine's headers of them serve.
set -euo pipefail
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only headers that do not depend on the architecture are lent: /usr/include itself would bring
# this machine's C library with it.
mkdir -p "$work/include/openssl"
own=/usr/include/$(gcc -print-multiarch)
ln -s "$own/curl" "$work/include/curl"
ln -s "$own/expat_config.h" "$work/include/"
ln -s /usr/include/openssl/* "$own"/openssl/* "$work/include/openssl/"
for name in sqlite3.h jansson.h jansson_config.h utf8proc.h cmark-gfm.h cmark-gfm_export.h \
    cmark-gfm_version.h xxhash.h gumbo.h tag_enum.h archive.h archive_entry.h expat.h expat_external.h \
    seccomp.h seccomp-syscalls.h yaml.h; do
    ln -s "/usr/include/$name" "$work/include/$name"
done

compile() { # source
    local features=(-D_DEFAULT_SOURCE= '-DRAG_INSTALLED_READER="/"')
    [[ $1 != src/readers/* ]] || features=(-D_GNU_SOURCE=)
    aarch64-linux-gnu-gcc -std=c11 -D_POSIX_C_SOURCE=200809L "${features[@]}" -O1 -fopenmp \
        -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror \
        -ffp-contract=off -Iinclude -Isrc -Icli -isystem "$work/include" -c "$1" \
        -o "$work/${1//\//-}.o"
}
export -f compile
export work
ls src/*/*.c cli/*.c | grep -Ev '_(avx2|avx512.*|amx)\.c$' |
    xargs -P "$(nproc)" -I{} bash -c 'compile {}'
echo "$(find "$work" -name '*.o' | wc -l) sources compile for arm64"
