"""The Qt parts of the Slicer module. What needs no Qt (reading a process's output, ending its tree, what is installed) lies in files
that import neither qt nor slicer at module level.
"""
