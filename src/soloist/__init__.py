"""Soloist, the freelancer's CRM."""

__version__ = "0.1.0"
