"""The best model that can be made of given ones: candidates are measured on dev, and the best one is tested once."""
