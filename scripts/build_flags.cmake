# Flags of every target: one interface library, so no target can forget them.
add_library(vethscope_flags INTERFACE)
target_include_directories(vethscope_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(vethscope_flags INTERFACE _GNU_SOURCE)
target_compile_options(vethscope_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wcast-qual -Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2
  -Wswitch-enum -Wnull-dereference -fno-common -fno-strict-overflow)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(vethscope_flags INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
else()
  target_compile_options(vethscope_flags INTERFACE
    -Wcomma -Wassign-enum -Wextra-semi -Wshorten-64-to-32)
endif()
if(VETHSCOPE_WERROR)
  target_compile_options(vethscope_flags INTERFACE -Werror)
endif()
if(VETHSCOPE_HARDENED)
  target_compile_options(vethscope_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection)
  target_link_options(vethscope_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
  include(CheckPIESupported)
  check_pie_supported()
endif()
if(VETHSCOPE_SANITIZE)
  target_compile_options(vethscope_flags INTERFACE
    -fsanitize=${VETHSCOPE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(vethscope_flags INTERFACE -fsanitize=${VETHSCOPE_SANITIZE})
endif()
