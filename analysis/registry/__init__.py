"""Versions of the trained models: training, comparing, promoting, going back."""
