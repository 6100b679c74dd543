# Run by cpack on the staged files, before they become the package: what Debian wants compressed is compressed.
find_program(GZIP gzip REQUIRED)
set(root "${CPACK_TEMPORARY_DIRECTORY}/runtime")
file(GLOB pages "${root}/usr/share/man/man*/*.[158]")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/changelog" DESTINATION "${root}/usr/share/doc/arch")
foreach(file IN LISTS pages ITEMS "${root}/usr/share/doc/arch/changelog")
  execute_process(COMMAND "${GZIP}" -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
