"""Records, for readers, who know this module alone: one JSON file per cell, found again by the hash of its recipe.

Standard library only, so that the leaderboard reads results where no torch is installed.
"""

from harness.records.answer import SCHEMA as SCHEMA
from harness.records.answer import TRAIN_ROWS as TRAIN_ROWS
from harness.records.answer import RunRecord as RunRecord
from harness.records.files import TEMPORARY as TEMPORARY
from harness.records.files import rounded as rounded
from harness.records.files import slug as slug
from harness.records.files import write_whole as write_whole
from harness.records.fits import fits as fits
from harness.records.reading import LARGEST as LARGEST
from harness.records.reading import BadRecord as BadRecord
from harness.records.reading import read as read
from harness.records.reading import text_of as text_of
from harness.records.recipe import KEY as KEY
from harness.records.recipe import canonical as canonical
from harness.records.recipe import recipe_key as recipe_key
from harness.records.store import Store as Store
