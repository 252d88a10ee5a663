# One target per folder, and one test program beside it.

set(TIDEMARK_STANDARD_HEADERS <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <span> <stop_token>
    <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h> <tl/expected.hpp>)

# What the tests themselves are compiled with; what they test keeps its own. Tests are the larger half of the code and the
# optimizer's larger half of the work: g++ takes three quarters of the time for them at -O1.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(TIDEMARK_TEST_OPTIONS -O0)
else()
  set(TIDEMARK_TEST_OPTIONS -O1)
endif()

# A unity build: the sources of src/ by the file, several in each. It is made anew when a source changes, since what may share a
# file may change with it.
if(TIDEMARK_UNITY)
  set(TIDEMARK_UNITY_FOLDER ${CMAKE_BINARY_DIR}/unity)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/unity.py ${PROJECT_SOURCE_DIR}/src ${TIDEMARK_UNITY_FOLDER}
                  COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB_RECURSE unity_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cc)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${unity_sources}
               ${CMAKE_CURRENT_LIST_DIR}/unity.py)
endif()

# tidemark_folder(NAME [SINGLE_THREADED] [FUZZED] [DEPENDS target...] [PRIVATE target...] [TEST_DEPENDS target...])
# builds every x.cc of the current folder into a static library NAME and every x_test.cc into NAME_test.
# A new file needs no edit here: the folder is the list. SINGLE_THREADED: nothing here is shared between threads, so
# that a build with TSan has nothing to find in the tests and leaves them out. FUZZED: a fuzzer of test/fuzz feeds it.
function(tidemark_folder name)
  cmake_parse_arguments(ARG "SINGLE_THREADED;FUZZED" "" "DEPENDS;PRIVATE;TEST_DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  if(sources AND TIDEMARK_UNITY AND NOT folder MATCHES "^\\.\\.")
    file(GLOB sources ${TIDEMARK_UNITY_FOLDER}/${folder}/unity_*.cc)
  endif()
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
    target_precompile_headers(${name} REUSE_FROM tidemark_precompiled)
    if(ARG_FUZZED)
      target_compile_options(${name} PRIVATE ${TIDEMARK_COVERAGE})
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS})
  endif()
  if(tests)
    if(ARG_SINGLE_THREADED)
      set(single_threaded SINGLE_THREADED)
    endif()
    tidemark_test(${name}_test ${single_threaded} SOURCES ${tests} DEPENDS ${name} ${ARG_PRIVATE} ${ARG_TEST_DEPENDS})
  endif()
endfunction()

# tidemark_components(PREFIX) takes every folder below the current one for a component, whose target is tidemark_PREFIX_FOLDER.
# The property TIDEMARK_COMPONENTS lists them all, for what links the program together.
function(tidemark_components prefix)
  file(GLOB lists CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(list ${lists})
    get_filename_component(folder ${list} DIRECTORY)
    add_subdirectory(${folder})
    set_property(GLOBAL APPEND PROPERTY TIDEMARK_COMPONENTS tidemark_${prefix}_${folder})
  endforeach()
endfunction()

# tidemark_test(NAME [SINGLE_THREADED] SOURCES file... DEPENDS target...) builds a GoogleTest program into bin/tests/.
# Which builds have which tests, and why: docs/adr/0058-what-each-sanitizer-runs.md.
function(tidemark_test name)
  cmake_parse_arguments(ARG "SINGLE_THREADED" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT TIDEMARK_TESTS OR (ARG_SINGLE_THREADED AND TIDEMARK_SANITIZE STREQUAL "thread"))
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/test)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main rapidcheck)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/tests)
  target_compile_options(${name} PRIVATE ${TIDEMARK_TEST_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM tidemark_precompiled_tests)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# tidemark_knows_source(file...) tells these tests of the current folder where the sources are. Only those that ask: what knows
# an absolute path is compiled anew in every clone, and the rest comes from ccache.
function(tidemark_knows_source)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS "TIDEMARK_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
endfunction()

# Two precompiled headers serve the whole build, one for the program and one for its tests: compiling one for each
# target would cost more than it saves on two cores.
add_library(tidemark_precompiled OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
target_link_libraries(tidemark_precompiled PRIVATE tl::expected fmt::fmt spdlog::spdlog Threads::Threads)
target_precompile_headers(tidemark_precompiled PRIVATE ${TIDEMARK_STANDARD_HEADERS})

if(NOT TIDEMARK_TESTS)
  return()
endif()
add_library(tidemark_precompiled_tests OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
target_link_libraries(tidemark_precompiled_tests PRIVATE tl::expected fmt::fmt spdlog::spdlog Threads::Threads GTest::gmock)
target_precompile_headers(tidemark_precompiled_tests PRIVATE ${TIDEMARK_STANDARD_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)
target_compile_options(tidemark_precompiled_tests PRIVATE ${TIDEMARK_TEST_OPTIONS})
