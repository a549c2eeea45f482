"""How the control database came to its present shape, one file per step, oldest first.

A step writes its tables out and imports nothing of ours: it must do the same in ten years.
"""
