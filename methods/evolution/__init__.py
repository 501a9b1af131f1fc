"""The parts of an evolution (methods/evolver.py): chance, the brood and its buffers, and how children are judged."""
