"""Measuring conflict between tasks and imbalance of their data."""
