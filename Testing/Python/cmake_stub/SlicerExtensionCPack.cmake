# Slicer packages these components of what is installed.
file(WRITE ${CMAKE_BINARY_DIR}/components.txt "RuntimeLibraries\n")
