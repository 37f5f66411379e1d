"""A static site of some neurons: pages, pictures, and a search over names and tokens, for any web host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from n2gdb.core.readings import counted
from n2gdb.core.tokens import display
from n2gdb.database import Database
from n2gdb.drawing import draw
from n2gdb.errors import StorageError, one_line
from n2gdb.evidence.quality import HELDOUT, TOP_EXAMPLES
from n2gdb.explorer.plain import plain_path
from n2gdb.neuron import Neuron
from n2gdb.neuron_parts import NeuronPattern
from n2gdb.storage.output_file import check_output
from n2gdb.storage.read.effects import WrittenToken
from n2gdb.version import __version__

__all__ = ["write_site"]

_STATIC, _SHARED = Path(__file__).parent / "static", ("site.css", "site.js", "icon.svg")

#: Patterns of a page, examples of a page, tokens of a neuron that the search knows.
_PATTERNS, _EXAMPLES, _TOKENS = 100, 10, 60


def write_site(
    database: Database,
    folder: Path,
    neurons: Sequence[Neuron],
    *,
    title: str,
    query: str,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Write a folder of pages and return how many neurons it shows; its pages fetch nothing from elsewhere.

    Addresses are relative, so the folder may lie anywhere below a host. Files of an earlier site are
    replaced; what is not a plain file, is a database or belongs to one is not. Raises StorageError for these,
    and where the folder cannot be written.
    """
    several = len({neuron.model for neuron in neurons}) > 1
    names = [_file(neuron, several) for neuron in neurons]
    try:
        (folder / "neurons").mkdir(parents=True, exist_ok=True)
        for path in _places(folder, names):
            check_output(path, force=True, reads=(database.path,))
        index = []
        for place, neuron in enumerate(neurons):
            around = (
                names[place - 1] if place else None,
                names[place + 1] if place + 1 < len(names) else None,
            )
            _write(
                folder / "neurons" / f"{names[place]}.html",
                _neuron_page(neuron, names[place], title, *around),
            )
            _write(folder / "neurons" / f"{names[place]}.svg", draw(neuron).svg())
            index.append(_entry(neuron, names[place], several))
            progress(place + 1, len(neurons))
        _write(folder / "neurons.json", json.dumps(index, ensure_ascii=False, separators=(",", ":")))
        for name in _SHARED:
            _write(folder / name, (_STATIC / name).read_text(encoding="utf-8"))
        _write(folder / "index.html", _index_page(database, neurons, names, title, query))
    except OSError as error:
        raise StorageError(f"cannot write the site to {folder}: {one_line(error)}") from error
    return len(neurons)


def _places(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield every file of a site."""
    yield from (folder / name for name in ("index.html", "neurons.json", *_SHARED))
    yield from (folder / "neurons" / f"{name}{suffix}" for name in names for suffix in (".html", ".svg"))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")


def _file(neuron: Neuron, several: bool) -> str:
    """Return the name of a neuron's page, which an address may hold as it is."""
    name = f"{neuron.model}-{neuron.name}" if several else str(neuron.name)
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)


def _entry(neuron: Neuron, file: str, several: bool) -> dict[str, object]:
    """Return what the search knows of a neuron: name, score, and tokens, the activating ones first."""
    tokens = list(dict.fromkeys(each.token.strip().casefold() or each.token for each in neuron.tokens()))
    name = f"{neuron.name} of {neuron.model}" if several else str(neuron.name)
    return {
        "n": name,
        "u": file,
        "f": None if neuron.quality is None else round(neuron.quality.f1, 4),
        "t": [token for token in tokens if token][:_TOKENS],
    }


def _page(title: str, up: str, body: str, script: str = "") -> str:
    policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{_text(title)}</title>"
        f'<link rel="icon" href="{up}icon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="{up}site.css">{script}</head>\n<body>{body}</body></html>\n'
    )


def _index_page(
    database: Database, neurons: Sequence[Neuron], names: Sequence[str], title: str, query: str
) -> str:
    rows = "".join(
        f'<li data-u="{_text(name)}"><a href="neurons/{_text(name)}.html"><b>{_text(str(neuron.name))}</b> '
        f"<span>{_quality(neuron)}</span>"
        f'<span class="top">{_strongest(neuron)}</span></a></li>'
        for neuron, name in zip(neurons, names, strict=True)
    )
    models = ", ".join(dict.fromkeys(neuron.model for neuron in neurons))
    body = (
        f"<header><h1>{_text(title)}</h1><p>{counted(len(neurons), 'neuron')} of {_text(models)}, found by "
        f"<code>{_text(query)}</code>; drawn by n2gdb {__version__} from {_text(database.path.name)}.</p>"
        '<p><label>Search names and tokens <input type="search" id="search" autocomplete="off"></label> '
        '<span id="found" role="status"></span></p></header>'
        f'<main><ul class="neurons">{rows}</ul></main>'
    )
    return _page(title, "", body, '<script src="site.js" defer></script>')


def _strongest(neuron: Neuron) -> str:
    patterns = neuron.patterns()
    return _path(patterns[0]) if patterns else _text(neuron.state)


def _path(pattern: NeuronPattern) -> str:
    """Write a pattern in text order, in the colours of the pictures; the last token is what it fires on."""
    steps = plain_path(pattern.path)["steps"]
    kinds = (
        "any" if each["text"] is None else "fires" if each["depth"] == 0 else "context" for each in steps
    )
    return " ".join(
        f'<bdi class="token {kind}">{_text(each["shown"])}</bdi>'
        for kind, each in zip(kinds, steps, strict=True)
    )


def _quality(neuron: Neuron) -> str:
    return "–" if neuron.quality is None else _text(neuron.quality.written)


def _neuron_page(neuron: Neuron, own: str, title: str, before: str | None, after: str | None) -> str:
    name = str(neuron.name)
    around = [
        f'<a rel="{rel}" href="{_text(to)}.html">{sign}</a>'
        for rel, sign, to in (("prev", "← before", before), ("next", "next →", after))
        if to is not None
    ]
    shown = neuron.patterns()[:_PATTERNS]
    patterns = "".join(f"<li><span>{each.activation:.2f}</span> {_path(each)}</li>" for each in shown)
    left = neuron.n_patterns - len(shown)
    body = (
        f'<nav><a href="../index.html">{_text(title)}</a> {" ".join(around)}</nav>'
        f"<main><h1>{_text(name)}</h1><p>{_text(neuron.model)}, layer {neuron.layer}, {_text(neuron.state)}:"
        f" {_judged(neuron)}; {counted(neuron.n_patterns, 'pattern')}.</p>"
        f'<figure><a href="{_text(own)}.svg"><img src="{_text(own)}.svg"'
        f' alt="The graph of {_text(name)}; its patterns are listed below"></a></figure>'
        f"{_effects(neuron)}<h2>Patterns</h2><ol>{patterns}</ol>"
        f"{f'<p>and {left:,} weaker ones</p>' if left else ''}"
        f"<h2>Top examples</h2>{_key()}{''.join(_examples(neuron))}</main>"
    )
    return _page(f"{name}: {title}", "../", body)


def _judged(neuron: Neuron) -> str:
    """Say how well a neuron is predicted: on held-out text where that is known, and on its top examples."""
    said = []
    if neuron.quality is None:
        said.append("not judged")
    elif neuron.quality.text == HELDOUT:
        said.append(f"{neuron.quality}, of {counted(neuron.quality.firings, 'firing')}")
    if neuron.f1 is not None:
        figures = (
            f"F1 {_score(neuron.f1)}, precision {_score(neuron.precision)}, recall {_score(neuron.recall)}"
        )
        said.append(f"{figures} {TOP_EXAMPLES}, of {counted(neuron.true_firings, 'firing')}")
    few = "; ?: fewer than 10 firings, of which it says little" if "?" in said[0] else ""
    return _text("; ".join(said) + few)


def _effects(neuron: Neuron) -> str:
    if not neuron.promotes and not neuron.suppresses:
        return ""
    listed = "".join(
        f"<p>{said}: {' '.join(_token(each, kind) for each in tokens[:10])}</p>"
        for said, kind, tokens in (
            ("Promotes", "writes", neuron.promotes),
            ("Suppresses", "suppresses", neuron.suppresses),
        )
        if tokens
    )
    return f"<h2>What it writes</h2>{listed}"


def _token(written: WrittenToken, kind: str) -> str:
    return f'<bdi class="token {kind}">{_text(display(written.text))}</bdi>'


def _key() -> str:
    return (
        "<p>Colour is the neuron's true activation, in steps of a tenth of its largest; underlined is where"
        " its graph predicts that it fires.</p>"
    )


def _examples(neuron: Neuron) -> Iterator[str]:
    for example in neuron.examples[:_EXAMPLES]:
        reading = neuron.read_example(example)
        tokens = "".join(
            f'<span class="v{round(10 * min(max(token.true or 0.0, 0.0), 1.0))}'
            f'{" g" if token.predicted >= reading.threshold else ""}">{_text(token.text)}</span>'
            for token in reading.tokens
        )
        about = f"{example.rank + 1}, {example.split}"
        yield f'<article><p class="about">{about}</p><p class="text">{tokens}</p></article>'


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _text(text: str) -> str:
    return escape("".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text))
