"""Crowds and absences at their full size: many change one group while many talk in it; a device was away for long."""
