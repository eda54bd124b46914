"""Local segmentation at a click: one vertebra or disc that a labelmap lacks, or one of its labels anew, in a box around a point.

The steps: the box and the network in it (box, segment), the voxels of the clicked level (selection), whether they can be the structure
(plausibility), and the value the neighbours leave for it (value). Rather than draw a doubtful shape it raises NothingFound.
"""

from SpiderSegLib.around.box import Point
from SpiderSegLib.around.config import AroundConfig
from SpiderSegLib.around.files import added_record, write_merged, write_only
from SpiderSegLib.around.result import LocalResult
from SpiderSegLib.around.segment import point_inside, segment_around

__all__ = ["AroundConfig", "LocalResult", "Point", "added_record", "point_inside", "segment_around", "write_merged", "write_only"]
