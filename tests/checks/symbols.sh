#!/bin/sh
# Only rag_* is exported: symbols.sh LIBRAG.SO LIBRAG.A
set -eu
shared=$(nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }')
archive=$(nm -g --defined-only "$2" | awk 'NF == 3 { print $3 }')
for kind in shared archive; do
    eval "symbols=\$$kind"
    others=$(echo "$symbols" | grep -v '^rag_' || true)
    if [ -n "$others" ]; then
        echo "the $kind library exports: $others"
        exit 1
    fi
    count=$(echo "$symbols" | grep -c '^rag_')
    echo "the $kind library exports $count functions, all rag_*"
    [ "$count" -gt 40 ]
done
