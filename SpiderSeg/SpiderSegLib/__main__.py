"""`python -m SpiderSegLib`, as Slicer's PythonSlicer runs it."""

from SpiderSegLib.cli.main import main

main()
