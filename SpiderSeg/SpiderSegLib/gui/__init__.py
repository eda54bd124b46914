"""The Qt parts of the Slicer module; what needs no Qt lies in mrml/. What is installed is looked at by files that import neither qt nor
slicer at module level.
"""
