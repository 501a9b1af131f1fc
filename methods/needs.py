"""What a merging method may need beside its members: the words of `needs`, and what they mean to who runs it."""

from __future__ import annotations

NEEDS = {
    "ancestor": "the ancestor: the model that all members were fine-tuned from",
    "gram": "Gram matrices: for each linear layer of each member the products of its inputs, over rows without labels",
    "fisher": "Fisher information: squared gradients of each member over rows",
    "development scores": "scores on development rows, which choose",
    "development rows": "development rows, without their labels",
    "training rows": "training rows of each member's task, without their labels",
    "random draws": "random draws: other draws give another merge",
    "two members": "two members, no more",
    "three members": "three members or more",
    "all members at inference": "all members at inference: nothing is saved when it runs",
    "the task of a row": "the task of each row that it is asked about: it is a model for each task",
}
