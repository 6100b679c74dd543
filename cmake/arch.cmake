# What every folder's CMakeLists.txt uses: one library per folder, tests beside the code.

function(arch_use_ccache_and_fast_linker)
  find_program(CCACHE ccache)
  if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE} PARENT_SCOPE)
  endif()
  find_program(MOLD mold)
  if(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endfunction()

function(arch_target_options target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                         # What clang alone sees is for lint to say, not to keep a fuzzer from being built.
                         $<$<NOT:$<BOOL:${ARCH_FUZZ}>>:-Werror>
                         $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
                         # g++ 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651)
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  # Only where engine/base/mutant.h is used: everything else compiles as it does without.
  if(ARCH_MUTANTS AND target MATCHES "^arch_(journal|format|segment|pack|archive|verify|index_store)$")
    target_compile_definitions(${target} PRIVATE ARCH_MUTANTS)
  endif()
endfunction()

# arch_library(NAME SOURCES … [PUBLIC …] [PRIVATE …])   static library arch_NAME; headers are reached from the source root
function(arch_library name)
  cmake_parse_arguments(A "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(arch_${name} STATIC ${A_SOURCES})
  arch_target_options(arch_${name})
  target_link_libraries(arch_${name} PUBLIC ${A_PUBLIC} PRIVATE ${A_PRIVATE})
endfunction()

# arch_test(NAME SOURCES … LIBRARIES … [LABELS …] [TIMEOUT s])   one GoogleTest program, one ctest entry, label "unit"
function(arch_test name)
  if(NOT ARCH_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_executable(${name} ${A_SOURCES})
  arch_target_options(${name})
  target_link_libraries(${name} PRIVATE ${A_LIBRARIES} GTest::gtest_main GTest::gmock)
  target_compile_definitions(${name} PRIVATE ARCH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ARCH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
endfunction()

# arch_script_test(NAME COMMAND … [LABELS …] [TIMEOUT s])   a test that drives the built programs; finds them in $ARCH_BIN
function(arch_script_test name)
  if(NOT ARCH_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(A "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  add_test(NAME ${name} COMMAND ${A_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT}
    ENVIRONMENT "ARCH_BIN=${CMAKE_BINARY_DIR}/bin;ARCH_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()

# arch_benchmark(NAME SOURCES … LIBRARIES …)   Google Benchmark program bin/bench-NAME
function(arch_benchmark name)
  if(NOT ARCH_BUILD_BENCH)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(bench-${name} ${A_SOURCES})
  arch_target_options(bench-${name})
  target_link_libraries(bench-${name} PRIVATE ${A_LIBRARIES} benchmark::benchmark_main)
endfunction()
