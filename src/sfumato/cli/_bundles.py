"""Options that stand for one argument: a command takes `reading`, its users give five options."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Annotated, Any, NamedTuple

import typer
from typer.models import OptionInfo

REQUIRED = inspect.Parameter.empty


class Bundle(NamedTuple):
    """Options, and the one value that what was given for them becomes."""

    options: list[inspect.Parameter]
    value: Callable[..., object]


def option(
    name: str,
    kind: object,
    declared: OptionInfo,
    *,
    default: object = None,
    panel: str | None = None,
) -> inspect.Parameter:
    """One option of a bundle, as Typer reads it from a signature, under a heading of the help."""
    declared.rich_help_panel = panel
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, declared],
    )


def text_option(name: str, told: str, *, panel: str | None = None) -> inspect.Parameter:
    """An option of a bundle that takes a text, or is not given."""
    return option(name, str | None, typer.Option(help=told), panel=panel)


def takes(**bundles: Bundle) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The command with the options of each bundle in the place of the argument of its name."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = list(_spread(inspect.signature(command).parameters, bundles))

        @wraps(command)
        def run(**given: object) -> None:
            for name, bundle in bundles.items():
                given[name] = bundle.value(**{p.name: given.pop(p.name) for p in bundle.options})
            command(**given)

        typed: Any = run  # Typer reads these two attributes of a function
        typed.__signature__ = inspect.Signature(parameters)
        typed.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _spread(
    own: Mapping[str, inspect.Parameter], bundles: Mapping[str, Bundle]
) -> Iterator[inspect.Parameter]:
    for name, parameter in own.items():
        if name in bundles:
            yield from bundles[name].options
        else:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
