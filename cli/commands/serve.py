"""`n2gdb serve`: the explorer, a local web page over a database."""

from __future__ import annotations

import socket
import webbrowser
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from n2gdb.cli.completion import DEVICES, complete_words
from n2gdb.cli.options import DatabaseOption
from n2gdb.cli.output.terminal import say
from n2gdb.errors import N2gdbError, UsageError

__all__ = ["serve"]

#: Statements with threads of their own: many readers ask at once, and none waits for a slow one to end.
_AT_ONCE = 16


def serve(
    db: DatabaseOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any that is free.")
    ] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine there is no password.")
    ] = "127.0.0.1",
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds after which a statement is given up.")
    ] = 10.0,
    model: Annotated[
        bool,
        typer.Option("--model", help="Load the model, too: what neurons really do on a text that is typed."),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            help="With --model: auto, cpu, cuda or mps.",
            show_default="auto",
            autocompletion=complete_words(*DEVICES),
        ),
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="File of notes.", show_default="DB.notes.json, beside the database")
    ] = None,
    check: Annotated[bool, typer.Option(help="Say what would be served, and end.", hidden=True)] = False,
) -> None:
    """Explore a database in the browser: run queries, look at neurons, try texts. Ctrl-C ends it.

    n2gdb serve

    n2gdb serve --port 8000 --no-open

    n2gdb serve --model

    It never writes to the database; notes go into a file of their own. It answers only this machine unless
    another --host is given, and fetches nothing from elsewhere. With --model, the model is loaded once, in a
    process of its own.
    """
    if device is not None and not model:
        raise typer.BadParameter("--device is where the model runs: give --model as well")
    import uvicorn

    from n2gdb.database import Database, default_path
    from n2gdb.explorer import make_app
    from n2gdb.explorer.notes import Notes
    from n2gdb.storage.connection import Connection

    if notes is not None:
        Notes(notes).read()  # what cannot be a file of notes is said before anybody waits
    local = _is_local(host)
    with ExitStack() as held:
        database = held.enter_context(Database(Connection.open(db or default_path(), at_once=_AT_ONCE)))
        runner = None
        if model and not check:
            from n2gdb.ingest.evaluation.model_process import ModelProcess

            runner = held.enter_context(ModelProcess(database.path.absolute(), device or "auto"))
        told = host if local else None
        app = make_app(database, timeout=timeout, host=told, notes=notes, runner=runner, warm=not check)
        listening = _listen(host, port)
        address = f"http://{_written(host)}:{listening.getsockname()[1]}/"
        say(f"{database.path.name}: {address}")
        if not local:
            typer.echo(f"whoever reaches {host} can read this database: there is no password", err=True)
        if check:
            listening.close()
            return
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        if browse:
            # A browser of the terminal stays until it is left.
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.run(sockets=[listening])


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _written(host: str) -> str:
    """Write a host as an address has it; one that stands for every address is reached as this machine."""
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _listen(host: str, port: int) -> socket.socket:
    """Take the port; raise UsageError for an address that is none, N2gdbError where it is taken."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise UsageError(
            f"{host} is not an address of this machine: leave --host out, or try 0.0.0.0"
        ) from error
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise N2gdbError(
            f"cannot listen on {host} port {port} ({error.strerror}): choose another with --port"
        ) from error
    return listening
