"""Figures as SVG text. The same numbers give the same bytes on any machine: no font, library or date is in them."""
