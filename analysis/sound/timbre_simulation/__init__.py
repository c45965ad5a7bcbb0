"""A voice pushed toward warm, bright, breathy, rough or clean, as loud as before.

:func:`recipe_for` turns amounts into settings, :func:`simulate` renders them.
"""

from analysis.sound.timbre_simulation.recipe import TAGS, Recipe, recipe_for
from analysis.sound.timbre_simulation.render import Simulated, simulate

__all__ = ["TAGS", "Recipe", "Simulated", "recipe_for", "simulate"]
