from words import signed

assert signed("a").startswith("a.")
