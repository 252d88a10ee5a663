# Compiler flags, the linker, ccache and the sanitizers: everything that is the same for every target.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # pch_defines and time_macros: what ccache's manual asks for so that precompiled headers can be cached.
  # base_dir and no hash_dir: a second clone of the same commit is served from the first one's results.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=1
               CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(LLD_PROGRAM NAMES ld.lld-16 ld.lld)
if(LLD_PROGRAM)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(--ld-path=${LLD_PROGRAM})
  else()
    # g++ takes the linker by name and looks for ld.lld in its -B folders.
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/linker)
    file(CREATE_LINK ${LLD_PROGRAM} ${CMAKE_BINARY_DIR}/linker/ld.lld SYMBOLIC)
    add_link_options(-B${CMAKE_BINARY_DIR}/linker -fuse-ld=lld)
  endif()
endif()

add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports impossible copies inside std::string's own operator+ (GCC bug 105651); clang checks the same code.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  if(TIDEMARK_SANITIZE)
    add_compile_options(-g1 -O0)  # clang's optimizer takes two to three times as long over code full of checks
  else()
    add_compile_options(-g1 -O1)
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 takes the empty state of std::optional and tl::expected for a value that is read (GCC bug 80635).
    string(APPEND CMAKE_CXX_FLAGS_RELWITHDEBINFO " -Wno-maybe-uninitialized")
  endif()
endif()

if(TIDEMARK_SANITIZE)
  add_compile_options(-fsanitize=${TIDEMARK_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TIDEMARK_SANITIZE})
endif()

# A fuzzer is guided by the coverage of what it feeds. -fsanitize=fuzzer-no-link says the same, but must stand in every file
# that shares a precompiled header.
if(TIDEMARK_FUZZERS)
  set(TIDEMARK_COVERAGE -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
endif()
