# What http_parser/README.md tells a stranger is true: the example in it is example.c, the folder
# compiles alone with the command given there, and the program prints what is said. Needs SOURCE (the
# folder), WORK (a scratch directory) and COMPILER; where that is for another processor, the
# environment has VETHSCOPE_EMULATOR.
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/example.c example)
string(FIND "${readme}" "```c\n${example}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not show example.c as it is")
endif()

file(REMOVE_RECURSE ${WORK})
file(COPY ${SOURCE}/ DESTINATION ${WORK}/http_parser)
file(GLOB sources RELATIVE ${WORK} ${WORK}/http_parser/*.c)
execute_process(COMMAND ${COMPILER} -std=c17 -O2 -I. ${sources} -o example
  WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND $ENV{VETHSCOPE_EMULATOR} ./example WORKING_DIRECTORY ${WORK} OUTPUT_VARIABLE printed
  COMMAND_ERROR_IS_FATAL ANY)
string(FIND "${readme}" "It prints\n\n```\n${printed}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not show what the example prints:\n${printed}")
endif()
