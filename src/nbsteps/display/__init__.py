"""How runs are shown: text, SVG and, later, widgets."""
