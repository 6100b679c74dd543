# Run by the build in its own directory: manual pages, completions and the two commented configurations, by ARCHCTL. PACKAGE and
# CONTAINER are the configurations whose keys count in them.
function(write output config)
  execute_process(COMMAND "${ARCHCTL}" "--config=${config}" generate ${ARGN} OUTPUT_FILE "${output}"
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Pages of commands that are no more do not stay.
file(REMOVE_RECURSE man bash zsh fish)
file(MAKE_DIRECTORY bash zsh fish)
# --config also keeps a configuration of the building machine out.
write(/dev/null "${PACKAGE}" --man=man)
write(archd.toml "${PACKAGE}" --reference=toml)
write(container.toml "${CONTAINER}" --reference=toml)
foreach(program archctl archd arch-capture)
  write(bash/${program} "${PACKAGE}" --completion=bash --program=${program})
  write(zsh/_${program} "${PACKAGE}" --completion=zsh --program=${program})
  write(fish/${program}.fish "${PACKAGE}" --completion=fish --program=${program})
endforeach()
