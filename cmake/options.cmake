option(HOLDFAST_TESTS "Build the tests and the load generator" ON)
# Warnings, sanitizers and the compiler cache, for every target.
set(HOLDFAST_SANITIZE "" CACHE STRING "address;undefined or thread")

find_program(HOLDFAST_CCACHE ccache)
if(HOLDFAST_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${HOLDFAST_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
# GCC 12 warns about moved-from and optional members in its own headers and in coroutine frames.
add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
                    -Wno-mismatched-new-delete -Wno-missing-field-initializers)
foreach(sanitizer IN LISTS HOLDFAST_SANITIZE)
  add_compile_options(-fsanitize=${sanitizer})
  add_link_options(-fsanitize=${sanitizer})
endforeach()
if(HOLDFAST_SANITIZE)
  add_compile_options(-fno-sanitize-recover=all)
  if("thread" IN_LIST HOLDFAST_SANITIZE)
    add_compile_options(-Wno-tsan)
  endif()
endif()

# A library that is one row of the include table in docs/architecture.md.
function(holdfast_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()
