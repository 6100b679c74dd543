# Run by `cmake --install` and cpack with CMAKE_INSTALL_PREFIX as it holds then: units with the programs' place, sysusers.d,
# tmpfiles.d, the configuration. Knows ARCH_PACKAGING (this folder), ARCH_MADE (what the build wrote), ARCH_BINDIR.
get_filename_component(prefix "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
set(bindir "${prefix}/${ARCH_BINDIR}")
file(READ "${ARCH_PACKAGING}/systemd/hardening.conf" hardening)
string(STRIP "${hardening}" hardening)
foreach(unit archd arch-capture)
  configure_file("${ARCH_PACKAGING}/systemd/${unit}.service.in" "${ARCH_MADE}/units/${unit}.service" @ONLY)
endforeach()
file(INSTALL "${ARCH_MADE}/units/archd.service" "${ARCH_MADE}/units/arch-capture.service"
     DESTINATION "${prefix}/lib/systemd/system")
file(INSTALL FILES "${ARCH_PACKAGING}/systemd/sysusers.conf" DESTINATION "${prefix}/lib/sysusers.d" RENAME arch.conf)
file(INSTALL FILES "${ARCH_PACKAGING}/systemd/tmpfiles.conf" DESTINATION "${prefix}/lib/tmpfiles.d" RENAME arch.conf)

# Where the programs look, unless this is an installation in some directory of its own.
if(prefix STREQUAL "/usr" OR prefix STREQUAL "/usr/local")
  set(configuration /etc/archd)
else()
  set(configuration "${prefix}/etc/archd")
endif()
if(EXISTS "$ENV{DESTDIR}${configuration}/archd.toml")
  message(STATUS "Left as it is: $ENV{DESTDIR}${configuration}/archd.toml")
else()
  file(INSTALL "${ARCH_MADE}/archd.toml" DESTINATION "${configuration}")
endif()
