"""`swim watch` on a terminal: what it shows, what keys change, and how it is drawn."""
