"""vtkMRML nodes <-> the library: what desktop module, browser and tests share. Knows no Qt.

Nodes are in RAS millimetres, the library in LPS; `mrml.volumes` alone converts. Functions that change a segmentation save undo state
first, so that Slicer's own undo takes back any of them.
"""
