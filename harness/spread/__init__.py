"""A model that scores, spread over several devices: which part is worked out where (`parts`), how a part gets what it
is given and, where no GPU has room for it, its weights (`visits`), and where a candidate's tensors go (`seats`).
"""
