"""Pages that are made of the code while the documentation is built, so that they cannot drift.

A page says where: ``<!-- options -->`` becomes the table of options, ``<!-- floors -->`` the floors
of `.importlinter`.
"""

import configparser
import inspect
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, **_: object) -> str:
    """MkDocs calls it with the text of every page."""
    for mark, make in {"<!-- options -->": options, "<!-- floors -->": floors}.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    return markdown


def options() -> str:
    """The rows of `sfumato.estimators.options` as a table."""
    from sfumato import MDNRegressor
    from sfumato.estimators.options import OPTIONS

    defaults = inspect.signature(MDNRegressor).parameters
    lines = [
        "| argument | default | command line | what it is | searched |",
        "|---|---|---|---|---|",
    ]
    for option in OPTIONS:
        default = "*see there*" if callable(defaults[option.name].default) else None
        default = default or f"`{defaults[option.name].default!r}`"
        flags = option.verb or ", ".join(f"`--{flag}`" for flag in option.flags)
        must = f" It {option.must}." if option.must and "one of" not in option.must else ""
        cells = (f"`{option.name}`", default, flags, option.help + must, str(option.search or ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def layers(contract: str) -> list[list[str]]:
    """Floors of a contract from the top, each a list of rooms."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    text = parser[f"importlinter:contract:{contract}"]["layers"]
    return [[room.strip() for room in line.split("|")] for line in text.split("\n") if line.strip()]


def purpose(package: str, room: str) -> str:
    """The first line of a room's docstring."""
    path = ROOT / "src" / "sfumato" / package / room
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8").split('"""')[1].strip().split("\n")[0]


def floors() -> str:
    """Two pictures: the floors of the package, and those of galaxies."""
    return "\n\n".join([house("floors", ""), "## Inside galaxies", house("galaxies", "galaxies")])


def house(contract: str, package: str) -> str:
    """One floor above the other as SVG, and what each room is for as a list."""
    rows = layers(contract)
    width, height = 720, 34
    parts = [
        f'<svg viewBox="0 0 {width} {len(rows) * height + 4}" role="img" '
        f'style="max-width:{width}px;width:100%" xmlns="http://www.w3.org/2000/svg">',
        f"<title>Floors of sfumato{'.' + package if package else ''}, imports go down</title>",
    ]
    for index, rooms in enumerate(rows):
        each = width / len(rooms)
        for place, room in enumerate(rooms):
            x, y = place * each + 2, index * height + 2
            parts.append(
                f'<rect x="{x:.0f}" y="{y}" width="{each - 4:.0f}" height="{height - 4}" rx="4" '
                'fill="#e8eef4" stroke="#33658a"/>'
                f'<text x="{x + each / 2 - 2:.0f}" y="{y + 20}" text-anchor="middle" '
                f'font-size="14" fill="#1f2933">{escape(room)}</text>'
            )
    parts.append("</svg>")
    names = [room for rooms in rows for room in rooms]
    listed = "\n".join(f"* `{room}`: {purpose(package, room)}" for room in names)
    return "".join(parts) + "\n\n" + listed
