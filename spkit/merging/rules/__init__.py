"""The merge methods, one file each.

To add one, write a file here with a function and the decorator `spkit.merging.registry.method`, and its test: it is
then known to `spkit.merge`, the command line, studies, tables and figures. A function takes the task vectors and gives
a point: vectors that span the merge, and their coefficients.
"""
