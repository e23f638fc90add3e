"""Runs beside the published ones, or beside each other.

Reads what `records` reads; shows it as text, tables, pictures and a report.
"""
