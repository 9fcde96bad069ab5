"""`swim watch` on a terminal: what it shows, what keys change of that, and how it is drawn."""
