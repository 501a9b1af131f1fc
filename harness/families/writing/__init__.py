"""Answers that models write: prompts, greedy decoding with a cache, what ends an answer, how likely a right one is.

Whoever writes is called as a model of transformers is. It takes `input_ids` and `attention_mask`, and names in the
signature of its `forward` what else it can take: `position_ids`, `past_key_values` with `use_cache`, `logits_to_keep`;
an encoder-decoder `decoder_input_ids` and `encoder_outputs`. It gives `logits` and, where it has a cache,
`past_key_values`; an encoder-decoder also `encoder_last_hidden_state`, which comes back as `encoder_outputs[0]`. Both
may be tuples, for a module that is made of several.

Greedy is all there is: the most likely token each time. What a generation config says beside the tokens that end an
answer (sampling, beams, penalties, forced or forbidden tokens) is not heeded, so that merges are compared by the same
rule whatever their files say.
"""

from harness.families.writing.greedy import Written as Written
from harness.families.writing.rows import PromptRow as PromptRow
