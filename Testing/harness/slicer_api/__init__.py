"""Stand-ins for the Python modules of Slicer that slicer-core lacks, after their public documentation. slicer.util is the real one."""
