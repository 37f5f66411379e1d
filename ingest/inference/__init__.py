"""Batched inference over the prompts of many neurons."""
