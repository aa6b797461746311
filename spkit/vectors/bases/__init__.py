"""Bases to search on, a file each: `bases/NAME.py` holds a function NAME with the decorator `basis`.

`vectors.NAME(...)` calls it. It takes the task vectors and what a user can set, and gives a new matrix of the same
shape. A new file is all that a new basis needs; see `spkit.vectors.basis`.
"""
