"""The stages that a study is made of: each trains, merges, searches or measures one thing and leaves a record.

The functions here declare them: what each reads, and the work that an engine does later.
"""
