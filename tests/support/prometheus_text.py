"""The Prometheus text format, as far as tests read it."""

import re

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: (-?\d+))?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Metrics:
    """One scrape: samples as (name, labels, value)."""

    def __init__(self, samples, types):
        self.samples = samples
        self.types = types

    def select(self, name, **labels):
        """The samples of a name whose labels have these values; "" also fits an absent label."""
        return [sample for sample in self.samples
                if sample[0] == name
                and all(sample[1].get(key, "") == value for key, value in labels.items())]

    def total(self, name, **labels):
        return sum(value for _, _, value in self.select(name, **labels))

    def by(self, name, *keys, **labels):
        """Sums by the values of some labels, as a dictionary without the zeros."""
        sums = {}
        for _, found, value in self.select(name, **labels):
            key = tuple(found.get(key, "") for key in keys)
            sums[key] = sums.get(key, 0) + value
        return {key: value for key, value in sums.items() if value != 0}


def _labels(text):
    labels = {}
    position = 0
    while position < len(text):
        match = _LABEL.match(text, position)
        if match is None:
            raise ValueError(f"labels: {text}")
        if match.group(1) in labels:
            raise ValueError(f"a label twice: {text}")
        labels[match.group(1)] = re.sub(r"\\.", lambda escape: _ESCAPES[escape.group()],
                                        match.group(2))
        position = match.end()
    return labels


def parse(text):
    """Reads a whole exposition; raises ValueError at the first line that is none."""
    samples, types, seen = [], {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in types:
                raise ValueError(f"two TYPE lines: {name}")
            types[name] = kind
        if line == "" or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        if match is None:
            raise ValueError(f"no sample: {line}")
        labels = _labels(match.group(2) or "")
        identity = (match.group(1), tuple(sorted(labels.items())))
        if identity in seen:
            raise ValueError(f"a series twice: {line}")
        seen.add(identity)
        samples.append((match.group(1), labels, float(match.group(3))))
    return Metrics(samples, types)
