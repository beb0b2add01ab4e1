# The live ring alone, without the stages behind it.
add_executable(live_dump ${PROJECT_SOURCE_DIR}/tests/support/live_dump.c)
target_link_libraries(live_dump PRIVATE agent_capture)
add_test(NAME live_capture
  COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/test_capture_live.py $<TARGET_FILE:live_dump>)
set_tests_properties(live_capture PROPERTIES LABELS live RUN_SERIAL ON TIMEOUT 180
  ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
