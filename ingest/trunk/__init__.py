"""The trunk: a model's layers on plain tensors, over trees of prompts that begin alike."""
