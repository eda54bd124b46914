# What the extension says of itself, one "key=value" a line, for the tests to read.
set(lines "NAME=${PROJECT_NAME}\n")
foreach(key HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT DEFINED EXTENSION_${key})
    message(FATAL_ERROR "EXTENSION_${key} is not set")
  endif()
  string(APPEND lines "${key}=${EXTENSION_${key}}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/extension.txt "${lines}")
