"""The figures and tables of arXiv 2410.15035, one to one, drawn from what a study of the same setting measured.

A file `figure_N.py` or `table_N.py` is one of them: it says what the paper shows there, draws the same thing from our
tables, and says in one word whether ours is the same, another, or open. The paper's languages are bases here. What the
paper's numbers are stands in `numbers.py`, where each was read.
"""
