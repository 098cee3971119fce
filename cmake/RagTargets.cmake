# How everything here is compiled, and the three kinds of target: stations, tests, benches.
add_library(rag_compile INTERFACE)
target_compile_definitions(rag_compile INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(rag_compile INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  # gcc at -O3 does not see that a function of another file which fails never returns RAG_OK, and
  # so takes what it fills in for unset. The sanitizers and clang watch over that.
  $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # A reduction has one order and a product is rounded where the source says so: the
  # same bits from every compiler and vector width.
  -ffp-contract=off -fno-math-errno)
target_include_directories(rag_compile INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
if(RAG_SANITIZE)
  target_compile_options(rag_compile INTERFACE
    -fsanitize=${RAG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(rag_compile INTERFACE -fsanitize=${RAG_SANITIZE})
endif()
# ThreadSanitizer sees what OpenMP's threads wait for only with clang and libomp, which tells
# it through Archer; of libraries' code, not compiled for it, it knows nothing.
if(RAG_SANITIZE MATCHES "thread" AND RAG_BUILD_TESTS)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "RAG_SANITIZE=thread needs clang and its libomp: set CMAKE_C_COMPILER")
  endif()
  get_filename_component(openmp_folder "${OpenMP_omp_LIBRARY}" REALPATH)
  get_filename_component(openmp_folder "${openmp_folder}" DIRECTORY)
  find_library(RAG_ARCHER archer HINTS ${openmp_folder} REQUIRED)
  set(RAG_TEST_ENVIRONMENT
    "OMP_TOOL_LIBRARIES=${RAG_ARCHER}" TSAN_OPTIONS=ignore_noninstrumented_modules=1)
endif()
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

# rag_station(NAME source...): a folder of src/ as the object library rag_NAME.
function(rag_station name)
  if(NOT ARGN)
    return()
  endif()
  add_library(rag_${name} OBJECT ${ARGN})
  target_link_libraries(rag_${name} PUBLIC rag_compile)
  set_property(GLOBAL APPEND PROPERTY RAG_STATIONS ${name})
endfunction()

# rag_test(NAME SOURCES file... STATIONS name... [ARGUMENTS arg...] [LABELS label...]
#          [ENVIRONMENT NAME=VALUE...]):
# a cmocka program that sees the internals of the stations it names. LABELS: "threads" for
# what ThreadSanitizer is to watch, "slow" for what takes a minute under AddressSanitizer and
# shows it no code that other tests do not. Tests of more than 20 s have a COST, in seconds, so that
# they are begun first.
function(rag_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;STATIONS;ARGUMENTS;LABELS;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  list(TRANSFORM TEST_STATIONS PREPEND rag_)
  target_link_libraries(${name} PRIVATE rag_compile ${TEST_STATIONS} PkgConfig::CMOCKA m)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  # Documents are read by a program of its own.
  add_dependencies(${name} rag-reader)
  add_test(NAME ${name} COMMAND ${name} ${TEST_ARGUMENTS})
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}"
    ENVIRONMENT "RAG_CACHE=${PROJECT_BINARY_DIR}/cache;RAG_READER=$<TARGET_FILE:rag-reader>;${RAG_TEST_ENVIRONMENT};${TEST_ENVIRONMENT}")
endfunction()
