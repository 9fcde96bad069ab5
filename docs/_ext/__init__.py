"""What these pages are made with, beside their text: parts of the reference that are read from the code."""
