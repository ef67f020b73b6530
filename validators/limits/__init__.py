"""Thresholds, codes and calibration of one family of judges each; ``validators.core.thresholds`` joins them."""
