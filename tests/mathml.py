"""Presentation MathML read back as a number, as a person would read it: a second opinion on what a page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

_FUNCTIONS = {"ln": lambda arguments: math.log(*arguments), "min": min, "max": max}
_FENCES = {"(": (")", float), "|": ("|", abs), "⌈": ("⌉", math.ceil)}
_RELATIONS = {"≤": float.__le__, "<": float.__lt__, "=": float.__eq__, "≥": float.__ge__}


def read(node: Element, values: Mapping[str, float]) -> float:
    """The value of an element. ``values``: of every symbol, by its letters with subscripts after ``_``."""
    match node.tag:
        case "mn":
            return float(node.text or "")
        case "mi":
            return math.pi if node.text == "\N{GREEK SMALL LETTER PI}" else values[node.text or ""]
        case "msub":
            return values["_".join("".join(part.itertext()) for part in node)]
        case "mfrac":
            return read(node[0], values) / read(node[1], values)
        case "msqrt":
            return math.sqrt(_Row(node, values).value())
        case "msup":
            return (math.e if node[0].text == "e" else read(node[0], values)) ** read(node[1], values)
        case "mrow" | "math" | "mtd":
            return _Row(node, values).value()
    raise ValueError(f"cannot read <{node.tag}>")


class _Row:
    """Sums of products of factors, left to right."""

    def __init__(self, nodes: Sequence[Element] | Element, values: Mapping[str, float]) -> None:
        self.nodes = [node for node in nodes if node.tag != "mspace"]
        self.values = values
        self.at = 0

    def value(self) -> float:
        if self._operator() == "{":
            return self._branch(self.nodes[1])
        found = self._sum()
        if self.at != len(self.nodes):
            raise ValueError(f"nothing joins {self.nodes[self.at].tag} to what stands before it")
        return found

    def _operator(self) -> str:
        rest = self.nodes[self.at :]
        return (rest[0].text or "") if rest and rest[0].tag == "mo" else ""

    def _take(self) -> Element:
        self.at += 1
        return self.nodes[self.at - 1]

    def _sum(self) -> float:
        total = -self._product() if self._operator() == "−" and self._take() is not None else self._product()
        while self._operator() in ("+", "−"):
            sign = 1 if self._take().text == "+" else -1
            total += sign * self._product()
        return total

    def _product(self) -> float:
        total = self._factor()
        while self._operator() == "\N{INVISIBLE TIMES}":
            self._take()
            total *= self._factor()
        return total

    def _factor(self) -> float:
        node = self._take()
        if node.text in _FUNCTIONS:
            inside = list(self._take())[1:-1]
            commas = [i for i, part in enumerate(inside) if part.text == ","]
            ends = zip([-1, *commas], [*commas, len(inside)], strict=True)
            return _FUNCTIONS[node.text]([_Row(inside[start + 1 : end], self.values).value() for start, end in ends])
        if node.tag == "mo" and node.text in _FENCES:
            close, meaning = _FENCES[node.text]
            end = max(i for i, part in enumerate(self.nodes) if part.text == close)
            inside, self.at = self.nodes[self.at : end], end + 1
            return meaning(_Row(inside, self.values).value())
        return read(node, self.values)

    def _branch(self, table: Element) -> float:
        for value, condition in table:
            if condition[0].tag == "mtext":
                return read(value, self.values)
            left, relation, right = condition[0]
            if _RELATIONS[relation.text or ""](float(read(left, self.values)), float(read(right, self.values))):
                return read(value, self.values)
        raise ValueError("no branch holds")
