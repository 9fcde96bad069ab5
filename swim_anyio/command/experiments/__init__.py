"""Commands that answer "how would this behave for me": in the simulator, and by formulas."""
