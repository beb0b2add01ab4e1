"""Packets as a bad capture shows them: some missing, some late. The traffic itself is untouched."""

import random
import struct

_FILE_HEADER = 24
_RECORD = struct.Struct("<IIII")


def read_pcap(path):
    """The file's header, and its records whole."""
    data = path.read_bytes()
    records = []
    position = _FILE_HEADER
    while position + _RECORD.size <= len(data):
        end = position + _RECORD.size + _RECORD.unpack_from(data, position)[2]
        records.append(data[position:end])
        position = end
    return data[:_FILE_HEADER], records


def mangled(records, loss, window, seed):
    """Drops a share of the packets and moves the others back by fewer than `window` places."""
    chance = random.Random(seed)
    kept = [record for record in records if chance.random() >= loss]
    places = [index + chance.random() * window for index in range(len(kept))]
    return [kept[index] for index in sorted(range(len(kept)), key=places.__getitem__)]
