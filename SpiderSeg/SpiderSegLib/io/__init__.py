"""Reading and writing of images and small files: the only package that touches image formats (DICOM folders: dicom.py).

MetaImage and NRRD go through SimpleITK; NIfTI through nibabel, whose affine is copied verbatim from input to output.
"""

from SpiderSegLib.io.itk_files import Layers, geometry_of, header_texts_of, read_layers, to_itk
from SpiderSegLib.io.nifti_files import GZIP_LEVEL, geometry_from_affine_ras
from SpiderSegLib.io.small_files import bytes_writer, write_bytes_atomically, write_text_atomically
from SpiderSegLib.io.suffixes import IMAGE_SUFFIXES, NIFTI_SUFFIXES, OUTPUT_FORMATS, image_stem, image_suffix
from SpiderSegLib.io.volumes import DESCRIPTION, check_intensities, read_labelmap, read_volume, volume_writer, write_volume

__all__ = [
    "DESCRIPTION",
    "GZIP_LEVEL",
    "IMAGE_SUFFIXES",
    "NIFTI_SUFFIXES",
    "OUTPUT_FORMATS",
    "Layers",
    "bytes_writer",
    "check_intensities",
    "geometry_from_affine_ras",
    "geometry_of",
    "header_texts_of",
    "image_stem",
    "image_suffix",
    "read_labelmap",
    "read_layers",
    "read_volume",
    "to_itk",
    "volume_writer",
    "write_bytes_atomically",
    "write_text_atomically",
    "write_volume",
]
