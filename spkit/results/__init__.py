"""What the tables of a study hold, once, for the study, its figures and the notebooks."""
