"""How a model learns: views, filters, learning rules, opponents, rounds."""
