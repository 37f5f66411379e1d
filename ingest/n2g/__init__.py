"""Neuron to Graph, step by step: prune, saliency, augment, build, refine, judge."""
