#!/usr/bin/env python3
"""Reads the segments of a mail archive, written from docs/segment-format.md alone.

usage: segment_reader.py SEGMENT_DIR --list            one line a message: digest, size, segment
       segment_reader.py SEGMENT_DIR --extract OUT     every message to OUT/DIGEST.eml
       segment_reader.py SEGMENT_DIR --digest HEX      one message to standard output
       segment_reader.py SEGMENT_DIR --deliveries      one line a delivery: sequence, digest, bytes of its envelope

Every message's SHA-256 is compared. Needs Python 3 and libzstd; nothing of the engine. Exit status: 0 all intact, 65 damage.
"""
import base64
import ctypes
import ctypes.util
import hashlib
import os
import struct
import sys

zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def decompress(frame, size):
    out = ctypes.create_string_buffer(max(size, 1))
    if zstd.ZSTD_decompress(out, size, frame, len(frame)) != size:
        raise ValueError("a zstd frame does not hold what its table states")
    return out.raw[:size]


class Reader:
    """Fields one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, size):
        if self.at + size > len(self.data):
            raise ValueError("a table ends early")
        self.at += size
        return self.data[self.at - size:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def varints(self, count):
        return [self.varint() for _ in range(count)]


def encode(content, form):
    """Base64 in one of the forms of section 4."""
    line, end, last = form >> 2, b"\r\n" if form & 2 else b"\n", form & 1
    text = base64.b64encode(content)
    lines = [text[i:i + line] for i in range(0, len(text), line)] if line else [text]
    return end.join(lines) + (end if last else b"")


class Segment:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            data = file.read()
        if len(data) < 184 or data[:8] != b"ARCHSEG\n" or data[-120:-112] != b"ARCHEND\n":
            raise ValueError(path + " is no segment")
        version, flags = struct.unpack_from("<II", data, 8)
        if (version, flags) != (1, 0):
            raise ValueError(path + " is newer than this reader")
        self.number = struct.unpack_from("<I", data, 32)[0]
        footer, digests_size, stored, raw = struct.unpack_from("<QQQQ", data, len(data) - 104)
        if footer + digests_size + stored + 120 != len(data):
            raise ValueError(path + ": the trailer does not fit the file")
        if hashlib.sha256(data[footer:-120]).digest() != data[-72:-40]:
            raise ValueError(path + ": the footer is damaged")
        if hashlib.sha256(data[:footer]).digest() != data[-40:-8]:
            raise ValueError(path + ": the content is damaged")
        meta = Reader(decompress(data[footer + digests_size:-120], raw))
        self.previous = meta.raw(32)
        self.first, self.last, self.delivery_count = meta.varints(3)
        self.journal_files = [(meta.varint(), meta.raw(16)) for _ in range(meta.varint())]
        blocks, messages, own, foreign = meta.varints(4)
        self.streams, at = {1: [], 2: [], 3: [], 4: []}, 64
        for _ in range(blocks):
            stream, codec, _level = meta.raw(3)
            size, raw_size = meta.varints(2)
            meta.raw(8)  # XXH3-64; the content digest above covers the same bytes
            block = data[at:at + size]
            self.streams[stream].append(decompress(block, raw_size) if codec else block)
            at += size
        names = Reader(data[footer:footer + digests_size])
        self.messages = [names.raw(32).hex() for _ in range(messages)]
        self.own = [names.raw(32) for _ in range(own)]
        self.foreign = [names.raw(32) for _ in range(foreign)]
        self.sizes = meta.varints(messages)
        skeletons = meta.varints(messages)
        counts = meta.varints(messages)
        self.recipes = []
        for count in counts:
            steps = []
            for _ in range(count):
                value = meta.varint()
                steps.append((value & 3, value >> 2, meta.varint() if value & 1 else 0))
            self.recipes.append(steps)
        self.folded = [value & 1 for value in skeletons]
        blob_sizes = meta.varints(own)
        self.foreign_segments = meta.varints(foreign)
        whole = {stream: b"".join(parts) for stream, parts in self.streams.items() if stream != 4}
        self.skeletons, at = [], 0
        for value in skeletons:
            self.skeletons.append(whole[1][at:at + (value >> 1)])
            at += value >> 1
        self.blobs, place = {}, {2: 0, 3: 0}
        for digest, value in zip(self.own, blob_sizes):
            stream = 3 if value & 1 else 2
            self.blobs[digest] = whole[stream][place[stream]:place[stream] + (value >> 1)]
            place[stream] += value >> 1

    def message(self, index, archive):
        skeleton, at, out = self.skeletons[index], 0, []
        line_end = b"\r\n" if self.folded[index] else b"\n"
        for kind, value, form in self.recipes[index] or [(0, len(skeleton), 0)]:
            if kind < 2:
                piece, at = skeleton[at:at + value], at + value
                out.append(encode(piece, form) if kind == 1 else piece.replace(b"\n", line_end))
            else:
                blob = self.blobs[self.own[value]] if value < len(self.own) else archive.foreign(
                    self.foreign_segments[value - len(self.own)], self.foreign[value - len(self.own)])
                out.append(encode(blob, form) if kind == 3 else blob)
        data = b"".join(out)
        if len(data) != self.sizes[index] or hashlib.sha256(data).hexdigest() != self.messages[index]:
            raise ValueError(self.path + ": message " + self.messages[index] + " does not have its digest")
        return data

    def deliveries(self):
        sequence = 0
        for block in self.streams[4]:
            record = Reader(block)
            while record.at < len(block):
                sequence += record.varint()
                index = record.varint()
                digest = self.messages[index - 1] if index else record.raw(32).hex()
                yield sequence, digest, record.raw(record.varint())


class Archive:
    """The segments of a directory, each read when it is needed; two are kept."""

    def __init__(self, directory):
        self.paths = {int(name[:-4]): os.path.join(directory, name)
                      for name in sorted(os.listdir(directory)) if name.endswith(".seg")}
        self.open = {}

    def segment(self, number):
        if number not in self.open:
            while len(self.open) > 1:
                self.open.pop(next(iter(self.open)))
            self.open[number] = Segment(self.paths[number])
        return self.open[number]

    def foreign(self, number, digest):
        return self.segment(number).blobs[digest]

    def all(self):
        for number in sorted(self.paths):
            segment = self.segment(number)
            for index, digest in enumerate(segment.messages):
                yield segment, index, digest


def main(arguments):
    if len(arguments) < 2 or (arguments[1] in ("--extract", "--digest") and len(arguments) != 3):
        sys.stderr.write(__doc__)
        return 64
    archive, command, damaged = Archive(arguments[0]), arguments[1], 0
    if command == "--deliveries":
        for number in sorted(archive.paths):
            for sequence, digest, envelope in archive.segment(number).deliveries():
                print(sequence, digest, len(envelope))
        return 0
    for segment, index, digest in archive.all():
        if command == "--digest" and digest != arguments[2]:
            continue
        try:
            data = segment.message(index, archive)
        except (ValueError, KeyError) as error:
            sys.stderr.write(str(error) + "\n")
            damaged = 65
            continue
        if command == "--list":
            print(digest, len(data), segment.number)
        elif command == "--extract":
            os.makedirs(arguments[2], exist_ok=True)
            with open(os.path.join(arguments[2], digest + ".eml"), "wb") as out:
                out.write(data)
        else:
            sys.stdout.buffer.write(data)
    return damaged


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (ValueError, OSError) as failure:
        sys.stderr.write(str(failure) + "\n")
        sys.exit(65)
