"""The daily job in a web page on one's own machine, over the same MRML nodes and functions as the module of 3D Slicer.

`app` wires: `slicer_scene` is Slicer's scene without the application, `views` its slice and 3D views as pictures in the page, `editor` the
tools of the segment editor, `work` what is open (a series, or a case of a project), `actions` what the page's buttons do, `ui` the page
itself, `web` who may see it. One process serves one person.
"""
