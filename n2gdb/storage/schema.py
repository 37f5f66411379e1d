"""Storage schema: the Arrow tables of a run's shards, from which a database is loaded.

Columns of shards map to columns of the database by position, so their order must agree. Units have the same
numbers as in the database, from ``units.unit_key``, with model 0; the database's keys have the model's number
in their high bits, so that one file can hold several models.
"""

from __future__ import annotations

import pyarrow as pa

from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.storage.columns import BANDS, COUNTED, LEARNED, PREDICTORS, TEXTS
from n2gdb.version import SCHEMA_VERSION

__all__ = [
    "BANDS",
    "CLASSES",
    "COUNTS",
    "EFFECTS",
    "EVIDENCE",
    "EVIDENCE_FIGURES",
    "EXAMPLES",
    "MODEL",
    "MOST_FIRINGS",
    "NEURONS",
    "NODES",
    "PREDICTORS",
    "RECORDS",
    "SCHEMA_VERSION",
    "SCORES",
    "SOURCES",
    "TEXTS",
    "TOKENS",
    "WINDOWS",
]

#: One row per run: the model, its corpus and its configuration.
MODEL = pa.schema(
    [
        ("name", pa.string()),
        ("n_layers", pa.int64()),
        ("d_mlp", pa.int64()),
        ("d_vocab", pa.int64()),
        ("n_ctx", pa.int64()),
        ("activation_function", pa.string()),
        ("site", pa.string()),  # hook point, with {layer}
        ("corpus", pa.string()),
        ("corpus_tokens", pa.int64()),  # tokens scanned
        ("model_fingerprint", pa.string()),
        ("tokenizer_fingerprint", pa.string()),
        ("corpus_fingerprint", pa.string()),
        ("configuration", pa.string()),  # JSON
        ("code_version", pa.string()),
        ("tokenizer", pa.string()),  # the tokenizers library's JSON, or empty
    ]
)

#: One row per source: a set of units read at one place of the model.
SOURCES = pa.schema(
    [
        ("layer", pa.int64()),
        ("number", pa.int64()),  # among the layer's sources; 0 is its MLP
        ("name", pa.string()),
        ("kind", pa.string()),  # one of units.KINDS
        ("site", pa.string()),  # hook point
        ("width", pa.int64()),
        ("sides", pa.string()),  # of units.SIDES, "+" or "+-"
        ("architecture", pa.string()),
        ("origin", pa.string()),  # path or hub address of its weights; empty for the model's own
        ("revision", pa.string()),
        ("fingerprint", pa.string()),
    ]
)

#: One row per token of the model's vocabulary.
TOKENS = pa.schema(
    [
        ("token", pa.int64()),
        ("text", pa.string()),
        ("norm", pa.string()),  # tokens.normalise(text)
        ("special", pa.bool_()),
    ]
)

_NEURON_TYPES = {Kind.WHOLE: pa.int64(), Kind.REAL: pa.float32(), Kind.CHOICE: pa.string()}

#: What a unit's evidence has beside its weights; null where it has none. No fields of the language.
EVIDENCE_FIGURES = pa.schema(
    [
        ("base", pa.float32()),  # log odds of firing before any weight
        ("evidence_threshold", pa.float32()),  # log odds from which a firing is predicted
        ("graph_weight", pa.float32()),  # change of the log odds where the unit's graph predicts a firing
    ]
)

#: One row a unit, with its number and every figure that it is learned with. Precision, recall and f1 are of
#: its graph on the test half of its top examples: null where that half has no firing, and 0 where nothing is
#: predicted. Those that begin with heldout_, on text that was kept out of everything, are of what predicts by
#: default: its evidence, or its graph where it has none. The unit itself fires ``heldout_firings`` times
#: there; all four are null where no text was kept out. Density is the share of tokens on which it fires, a
#: latent wherever it is above zero.
NEURONS = pa.schema(
    [
        ("unit", pa.int64()),
        *((name, _NEURON_TYPES[FIELDS[name].kind]) for name in LEARNED),
        *EVIDENCE_FIGURES,
    ]
)

#: Columns that the loader counts for every unit.
COUNTS = pa.schema([(name, _NEURON_TYPES[FIELDS[name].kind]) for name in COUNTED])

#: One row a neuron, a text and a predictor of it that was judged there; the graph itself on the test half of
#: its top examples is in NEURONS.
SCORES = pa.schema(
    [
        ("unit", pa.int64()),
        ("layer", pa.int64()),
        ("index", pa.int64()),
        ("text", pa.string()),  # one of TEXTS
        ("predictor", pa.string()),  # one of PREDICTORS of that text
        ("precision", pa.float32()),  # null and 0 as in NEURONS
        ("recall", pa.float32()),
        ("f1", pa.float32()),
        ("true_firings", pa.int64()),
        ("predicted_firings", pa.int64()),
        ("n_nodes", pa.int64()),  # null for what is no graph
    ]
)

#: One row per node of a unit's trie, in preorder: the columns of NeuronGraph.
NODES = pa.schema(
    [
        ("unit", pa.int64()),
        ("pre", pa.int32()),  # preorder index
        ("token", pa.int32()),
        ("depth", pa.int32()),
        ("parent", pa.int32()),
        ("importance", pa.float32()),
        ("end", pa.float32()),  # null where no pattern ends
        ("support", pa.int64()),  # occurrences of the path in the corpus; null where not counted
        ("confidence", pa.float32()),  # share of them on which the unit fires; null without any
    ]
)

#: One row a weight of a unit's evidence, as ``UnitEvidence`` has them.
EVIDENCE = pa.schema(
    [
        ("unit", pa.int64()),
        ("token", pa.int32()),  # or the number of a class of CLASSES
        ("depth", pa.int32()),  # positions back from the activating token, which is 0
        ("weight", pa.float32()),  # change of the log odds of firing
    ]
)

#: One row a class of tokens that evidence may weigh as one; numbered on from the vocabulary.
CLASSES = pa.schema(
    [
        ("class", pa.int64()),
        ("kind", pa.string()),  # by what its tokens are alike; each token has one class of every kind
        ("name", pa.string()),
        ("tokens", pa.list_(pa.int32())),
    ]
)

#: Of the positions on which a unit fires, so many are kept: those with the smallest hashes, in their order.
MOST_FIRINGS = 128

#: One row a unit: how its activations are spread over the corpus, and where it fires. Firings are null in
#: shards from before they were kept.
RECORDS = pa.schema(
    [
        ("unit", pa.int64()),
        ("positions", pa.int64()),  # that count, whether it is active or not
        ("active", pa.int64()),  # of these, with an activation above zero
        ("maximum", pa.float32()),
        ("counts", pa.list_(pa.int64())),  # activations by strength: the bins of ``ActivationHistogram``
        ("firings", pa.list_(pa.int64())),  # positions of the corpus on which it fires, see MOST_FIRINGS
    ]
)

#: One row an example of a neuron: its top windows, and a few of every other strength.
EXAMPLES = pa.schema(
    [
        ("unit", pa.int64()),
        ("band", pa.string()),  # one of BANDS
        ("rank", pa.int64()),  # in its band; 0 is the strongest
        ("window", pa.int64()),  # row of WINDOWS
        ("pivot", pa.int64()),  # position in the window
        ("activation", pa.float32()),  # at the pivot, not normalised
        ("split", pa.string()),  # train or test; empty but for top examples
        ("start", pa.int64()),  # position of the trace's first value
        ("trace", pa.binary()),  # float16 normalised activations from start on
    ]
)

#: One row per token that a unit promotes or suppresses most by its direct effect. Logits of promoted tokens
#: are positive, of suppressed tokens negative.
EFFECTS = pa.schema(
    [
        ("unit", pa.int64()),
        ("token", pa.int32()),
        ("rank", pa.int32()),  # among the promoted, or among the suppressed; 0 is the strongest
        ("logit", pa.float32()),  # at the neuron's maximum activation, centred over the vocabulary
    ]
)

#: One row a window of the corpus that is some neuron's example; position 0 is the BOS, if any.
WINDOWS = pa.schema(
    [
        ("window", pa.int64()),
        ("tokens", pa.list_(pa.int32())),
    ]
)
