"""Batched inference over prompts of many units."""
