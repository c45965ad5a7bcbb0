"""Sung words out of a voice: where there is singing, which language, which words and when."""
