# Claim   A program outside this tree, built against `cmake --install` alone, makes an archive, appends, reads back, walks
#         over it and verifies it.
# Method  Installs the development component into a fresh prefix, copies the program away from the sources, builds and runs it.
# Teeth   The sources are out of reach of the copy's include path: a header that is not installed, or a library or
#         dependency that the package does not name, fails the build. What the program prints is compared.
cmake_minimum_required(VERSION 3.25)

set(temporary "$ENV{TMPDIR}")
if(temporary STREQUAL "")
  set(temporary "/tmp")
endif()
string(RANDOM LENGTH 12 suffix)
set(root "${temporary}/embed-test-${suffix}")
file(MAKE_DIRECTORY "${root}")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    file(REMOVE_RECURSE "${root}")
    message(FATAL_ERROR "${what}: exit ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("install" "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${root}/prefix" --component development)
file(COPY "${CMAKE_CURRENT_LIST_DIR}/project" DESTINATION "${root}")
run("configure" "${CMAKE_COMMAND}" -S "${root}/project" -B "${root}/build" -G "${GENERATOR}" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_PREFIX_PATH=${root}/prefix")
run("build" "${CMAKE_COMMAND}" --build "${root}/build")
run("run" "${root}/build/embed" "${root}/archive")
set(said "${output}")
# A second run finds an archive there already and says so.
execute_process(COMMAND "${root}/build/embed" "${root}/archive" RESULT_VARIABLE status ERROR_VARIABLE complaint)
file(REMOVE_RECURSE "${root}")

if(NOT said MATCHES "^[0-9a-f]+ 24 bytes: one\n[0-9a-f]+ 24 bytes: two\n0 faults in 2 messages\n$")
  message(FATAL_ERROR "the program said:\n${said}")
endif()
if(status EQUAL 0 OR NOT complaint MATCHES "archive")
  message(FATAL_ERROR "a second init was not refused: ${status} ${complaint}")
endif()
