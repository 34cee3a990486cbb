"""One self-contained HTML page from text, tables and figures."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from sfumato.io._files import whole

_CSS = """
body{font:16px/1.55 system-ui,sans-serif;color:#1f2933;max-width:1080px;margin:2.5rem auto;
padding:0 1.2rem;background:#fff}
h1{font-weight:600;font-size:1.9rem;margin-bottom:.2rem}h2{font-weight:600;font-size:1.3rem;
margin:2.4rem 0 .4rem;border-top:1px solid #d9dee3;padding-top:1.3rem}
p{max-width:46rem}figure{margin:1rem 0}img{max-width:100%;height:auto}
table{border-collapse:collapse;font-size:.88rem;margin:1rem 0;display:block;overflow-x:auto}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid #e6eaee;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #9aa5b1}
figcaption{color:#52606d;font-size:.88rem;max-width:46rem}
"""


@dataclass
class Page:
    """A page that is filled from top to bottom and rendered once."""

    title: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A section's heading."""
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self.parts.append(f"<p>{html.escape(text)}</p>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; the first column is left-aligned."""
        head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        self.parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")

    def html(self, fragment: str) -> None:
        """A piece of HTML made by a library, as it is."""
        self.parts.append(fragment)

    def figure(self, figure: Figure, caption: str) -> None:
        """A picture with its caption, embedded as PNG."""
        data = base64.b64encode(png(figure)).decode()
        text = html.escape(caption)
        image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
        self.parts.append(f"<figure>{image}<figcaption>{text}</figcaption></figure>")

    def render(self) -> str:
        """The whole page as HTML."""
        title = html.escape(self.title)
        head = f'<meta charset="utf-8"><title>{title}</title><style>{_CSS}</style>'
        body = f"<h1>{title}</h1>" + "\n".join(self.parts)
        meta = '<meta name="viewport" content="width=device-width,initial-scale=1">'
        return (
            f'<!doctype html><html lang="en"><head>{head}{meta}</head><body>{body}</body></html>\n'
        )


def png(figure: Figure) -> bytes:
    """A figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def check_picture(path: Path) -> str:
    """The kind of picture that a path asks for, ``"png"``, ``"pdf"`` or ``"svg"``.

    Raises
    ------
    ValueError
        It is none of these.
    """
    kind = path.suffix.lstrip(".").lower()
    if kind not in ("png", "pdf", "svg"):
        raise ValueError(f"{path}: a figure must end in .png, .pdf or .svg.")
    return kind


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix, whole or not at all.

    Raises
    ------
    ValueError
        The suffix is not png, pdf or svg.
    DataError
        The file cannot be written.
    """
    kind = check_picture(path)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    with whole(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
