"""Hotdesk."""
