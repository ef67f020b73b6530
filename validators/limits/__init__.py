"""Thresholds, codes and calibration of one family of judges each; ``validators.thresholds`` joins them."""
