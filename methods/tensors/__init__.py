"""What the formulas of several methods stand on: tensors in pieces, task vectors, masks, candidates one by one."""
