"""Storage schema: the Arrow tables of a run's shards, from which a database is loaded.

Columns of shards map to columns of the database by position, so their order must agree. Units have the same
numbers as in the database, from ``units.unit_key``, with model 0; the database's keys have the model's number
in their high bits, so that one file can hold several models.
"""

from __future__ import annotations

import pyarrow as pa

from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.storage.columns import COUNTED, LEARNED
from n2gdb.version import SCHEMA_VERSION

__all__ = [
    "COUNTS",
    "EFFECTS",
    "EXAMPLES",
    "MODEL",
    "NEURONS",
    "NODES",
    "PREDICTORS",
    "SCHEMA_VERSION",
    "SCORES",
    "SOURCES",
    "STATES",
    "TOKENS",
    "WINDOWS",
]

#: States of a unit: ``live`` if its graph predicts a firing on its test examples, ``unpredicted`` if its
#: graph predicts none, ``dead`` if the unit never fires on the whole corpus.
STATES = FIELDS["state"].choices

#: Predictors that a graph is compared with: the graph before refinement, a token and an n-gram look-up.
PREDICTORS = ("plain", "lookup", "ngram")

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

#: One row per unit: its number and the figures that learning gives. Precision, recall and f1 are measured on
#: the test half of its top examples; they are null if that half has no firing, 0 if nothing is predicted.
#: Density, the share of tokens on which the unit fires, is null if it was not measured.
NEURONS = pa.schema([("unit", pa.int64()), *((name, _NEURON_TYPES[FIELDS[name].kind]) for name in LEARNED)])

#: Columns that the loader counts for every unit.
COUNTS = pa.schema([(name, _NEURON_TYPES[FIELDS[name].kind]) for name in COUNTED])

#: One row per unit and predictor, judged like its graph on the test half of its top examples.
SCORES = pa.schema(
    [
        ("unit", pa.int64()),
        ("layer", pa.int64()),
        ("index", pa.int64()),
        ("predictor", pa.string()),  # one of PREDICTORS
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
    ]
)

#: One row per top example of a unit.
EXAMPLES = pa.schema(
    [
        ("unit", pa.int64()),
        ("rank", pa.int64()),  # 0 is the strongest
        ("window", pa.int64()),  # row of WINDOWS
        ("pivot", pa.int64()),  # position in the window
        ("activation", pa.float32()),  # at the pivot, not normalised
        ("split", pa.string()),  # train or test
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

#: One row per window of the corpus that is a top example; position 0 is the BOS token, if there is one.
WINDOWS = pa.schema(
    [
        ("window", pa.int64()),
        ("tokens", pa.list_(pa.int32())),
    ]
)
