# vethscope_library(NAME SOURCES ... LINKS ...): one stage of the agent as a static library. A test
# links exactly the stages it names, so a dependency in the wrong direction fails to link.
function(vethscope_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC vethscope_flags ${ARG_LINKS})
endfunction()

# vethscope_unit_test(NAME SOURCES ... LINKS ...): a cmocka program, CTest label "unit".
function(vethscope_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(unit_${name} ${ARG_SOURCES})
  target_link_libraries(unit_${name} PRIVATE vethscope_flags ${ARG_LINKS} PkgConfig::CMOCKA)
  add_test(NAME unit_${name} COMMAND unit_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # cmocka's own SIGSEGV handler would hide the sanitizer's report.
  set_tests_properties(unit_${name} PROPERTIES LABELS unit
    ENVIRONMENT "ASAN_OPTIONS=handle_segv=2;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
