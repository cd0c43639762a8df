"""How notebooks are committed. ``python -m tests.notebooks`` brings those that JupyterLab has saved back to it."""

from __future__ import annotations

import nbformat

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def normalised(text: str) -> str:
    """The notebook without outputs, counts and metadata of one machine, in nbformat's own layout."""
    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    for path in NOTEBOOKS:
        path.write_text(normalised(path.read_text(encoding="utf-8")), encoding="utf-8")
