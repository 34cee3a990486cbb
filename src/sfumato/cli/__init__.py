"""The command line: parse, call, print; one file for each verb."""

from sfumato.cli._signals import heeded


def start() -> None:
    """Entry point: signals are heeded before any library is imported."""
    with heeded(is_last=True):
        from sfumato.cli.main import run

        run()
