"""Stand-ins for the CTK and MRML widgets that a .ui of this project uses. A class that is not here cannot be used in one."""

from harness.widgets import ctk_widgets, mrml_widget, node_combo_box, segment_editor

__all__ = ["ctk_widgets", "mrml_widget", "node_combo_box", "segment_editor"]
