# What rag links to; docs/dependencies.md says why. Each comes from Debian 12.
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(CURL REQUIRED)

pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)
pkg_check_modules(LIBEDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

# Of rag-reader alone.
pkg_check_modules(GUMBO REQUIRED IMPORTED_TARGET gumbo)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)

# Debian's libcmark-gfm.pc names its extensions too, which are another package and not used.
find_library(CMARK_LIBRARY cmark-gfm REQUIRED)
find_path(CMARK_INCLUDE_DIR cmark-gfm.h REQUIRED)
add_library(rag_cmark INTERFACE)
target_link_libraries(rag_cmark INTERFACE ${CMARK_LIBRARY})
target_include_directories(rag_cmark SYSTEM INTERFACE ${CMARK_INCLUDE_DIR})

# xxHash's functions are compiled in from its header: there is nothing to link.
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
add_library(rag_xxhash INTERFACE)
target_include_directories(rag_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})

if(RAG_BUILD_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
