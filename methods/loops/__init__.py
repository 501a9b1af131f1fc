"""The formulas of merging scalar by scalar: loops that Numba compiles, so that a formula reads and writes memory once.

Every loop does the same roundings in the same order as the plain formula in its method's file, so the weights are the
same, bit for bit (tests/test_methods_loops.py); what they save is time. Without Numba (`pip install mergeboard[fast]`)
the plain formulas do all the work, as they do for tensors in float64 or on a GPU, and for small models. Half precision
is read and written as it is (methods/loops/half.py): worked on in float32, and rounded once.
"""
