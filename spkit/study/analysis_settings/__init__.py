"""What the table of each analysis may have: a file here is the table of the analysis of its name, as `SETTINGS`.

They stand apart from the analyses, whose modules take seconds to import: what is wrong in a profile is said at once.
A file whose name begins with `_` helps others and is none itself.
"""
