"""The best model that can be made of the given ones: candidates are measured on dev, and the best one is tested once."""
