"""Formulas as single passes over a GPU's memory, where Triton is there to compile them; the plain formulas in torch's
own operations are what they are held against, bit for bit, and what works where it is not."""
