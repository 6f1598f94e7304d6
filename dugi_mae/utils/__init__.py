"""Helpers that fit into no other room."""
