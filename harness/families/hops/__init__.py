"""A route through the blocks of several models as one module that shares their tensors.

view.py      the module: a shallow twin of the live one whose lists of blocks are hops
depth.py     what its configuration says of how many blocks there are, and of each
slots.py     which slot of the cache a block uses: a hop has one of its own, or a block visited twice would overwrite it
bottom.py    what a stack keeps in its first block for all of them: the first hop gets it
scales.py    what comes into a hop, multiplied
last.py      what a block adds to the stream last, found by trial
fold.py      the same, written into a block's own weights
plain.py     a view whose scales are folded, so that nothing multiplies on the way
built.py     the model's class with the blocks of such a view
walk.py      whether the model goes through its list as it stands, found by trial
trial.py     made-up tokens for both trials
"""
