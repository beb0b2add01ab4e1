#!/usr/bin/env python3
"""Writes the dashboards beside it: JSON for Grafana is too long to be written by hand.

    dashboards.py            writes deploy/grafana/*.json
    dashboards.py --check    says which of them are not what they would be
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import observer  # noqa: E402
import service  # noqa: E402
import service_map  # noqa: E402
import services  # noqa: E402


def rendered():
    """The text of each file by its name."""
    return {f"{page.NAME}.json": json.dumps(page.dashboard(), indent=2, ensure_ascii=False) + "\n"
            for page in (services, service, service_map, observer)}


def main():
    files = rendered()
    if sys.argv[1:] == ["--check"]:
        old = [name for name, text in files.items()
               if not (HERE / name).exists() or (HERE / name).read_text() != text]
        for name in old:
            print(f"deploy/grafana/{name} is not what dashboards.py writes")
        return 1 if old else 0
    for name, text in files.items():
        (HERE / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
