"""Methods that look at a change of a matrix through its singular values: what all share, and a file for each of them.

decomposition.py finds singular values and nearest orthonormal matrices, matrices.py merges a model matrix by matrix.
"""
