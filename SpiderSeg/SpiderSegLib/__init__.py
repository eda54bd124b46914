"""SpiderSeg: segmentation of lumbar-spine MR after the SPIDER conventions.

Arrays are ordered (k, j, i), affines map (i, j, k, 1) to LPS millimetres, labels are SPIDER's. The package imports nothing
heavy: `import SpiderSegLib` works before torch or MONAI is installed.
"""

__version__ = "0.1.0"
