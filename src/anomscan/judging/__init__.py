"""How good findings are: against known bad spans, against chance, against each other. Pure NumPy."""
