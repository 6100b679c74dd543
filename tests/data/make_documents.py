#!/usr/bin/env python3
"""Writes documents of our own, one or more for each format that query/document reads, with the standard library alone: sound ones,
protected ones, broken ones, and ones that attack. MANIFEST.tsv beside them says of each what must come out:

  file  declared type  declared charset  status  words that must be found (parted by "|")  words that must not

OCR.tsv says the same of those that OCR is given.

    make_documents.py --out DIR
"""
import argparse
import base64
import gzip
import hashlib
import io
import math
import os
import random
import struct
import tarfile
import zipfile
import zlib

ROWS, OCR_ROWS = [], []
OUT = "."


# By the reader that takes them: seeds/READER/ holds copies for the fuzz targets.
READERS = {"pdf": "pdf", "docx": "ooxml", "xlsx": "ooxml", "pptx": "ooxml", "odt": "odf", "ods": "odf", "odp": "odf", "doc": "ole", "xls": "ole",
           "ppt": "ole", "msg": "ole", "rtf": "rtf", "dat": "tnef", "html": "html", "xml": "xml", "fodt": "xml", "ics": "calendar",
           "vcf": "calendar", "eml": "mail", "mht": "mail", "emlx": "mail", "p7m": "smime", "zip": "archive", "7z": "archive", "tar": "archive",
           "tgz": "archive", "gz": "archive", "txt": "plain", "csv": "plain", "png": "picture", "tif": "picture",
           "bmp": "picture"}
SEED_BYTES = 60_000


def put(name, content, status="read", words=(), absent=(), declared="", charset=""):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(content)
    reader = "biff" if name == "raw.xls" else READERS.get(name.rsplit(".", 1)[-1])
    if reader and content and len(content) <= SEED_BYTES and not name.startswith(("misnamed", "page.doc", "noise")):
        os.makedirs(os.path.join(OUT, "seeds", reader), exist_ok=True)
        with open(os.path.join(OUT, "seeds", reader, name), "wb") as file:
            file.write(content)
    ROWS.append([name, declared, charset, status, "|".join(words), "|".join(absent)])
    return content


# What it is without OCR, and with it.
def put_picture(name, content, status="read", words=(), without="no_text"):
    put(name, content, without)
    OCR_ROWS.append([name, "", "", status, "|".join(words), ""])


# ── containers ──────────────────────────────────────────────────────────────────────────────────────────────────────

def zip_of(entries, stored=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, (2024, 5, 12, 9, 30, 0))
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def raw_name_zip(name, content):
    """A stored entry whose name is in a charset that nothing names; `name` is bytes."""
    crc = zlib.crc32(content)
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0x58AC, crc, len(content), len(content), len(name), 0)
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 0x58AC, crc, len(content), len(content), len(name),
                          0, 0, 0, 0, 0, 0)
    body = local + name + content
    return body + central + name + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central) + len(name), len(body), 0)


def encrypted_zip(name, plain_name, plain):
    """One entry marked as encrypted (its bytes are noise), one that is not."""
    noise = bytes(range(40, 80))
    body, central, count = b"", b"", 0
    for entry, flags, content in ((name, 1, noise), (plain_name, 0, plain)):
        raw = entry.encode()
        crc = zlib.crc32(content)
        offset = len(body)
        body += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, 0, 0, 0x58AC, crc, len(content), len(content), len(raw), 0)
        body += raw + content
        central += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, flags, 0, 0, 0x58AC, crc, len(content), len(content),
                               len(raw), 0, 0, 0, 0, 0, offset) + raw
        count += 1
    return body + central + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(central), len(body), 0)


def seven_zip(name, content):
    """7z with the method Copy: one folder, one file."""
    names = name.encode("utf-16le") + b"\0\0"
    header = (b"\x01\x04"                                                     # header, main streams
              + b"\x06\x00\x01\x09" + bytes([len(content)]) + b"\x00"         # packed: at 0, one stream, its size
              + b"\x07\x0b\x01\x00\x01\x01\x00\x0c" + bytes([len(content)])   # folder: one coder, Copy; unpacked size
              + b"\x0a\x01" + struct.pack("<I", zlib.crc32(content)) + b"\x00"
              + b"\x08\x00\x00"                                                       # end of main streams
              + b"\x05\x01\x11" + bytes([len(names) + 1]) + b"\x00" + names + b"\x00\x00")
    start = struct.pack("<QQI", len(content), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + content + header


def rar(name, content):
    """RAR 4 with one stored file."""
    raw = name.encode()

    def block(kind, flags, body, added=b""):
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head + added

    entry = struct.pack("<IIBIIBBHI", len(content), len(content), 3, zlib.crc32(content), 0x58AC0000, 20, 0x30, len(raw), 0x81A4) + raw
    return b"Rar!\x1a\x07\x00" + block(0x73, 0, b"\0" * 6) + block(0x74, 0x8000, entry, content) + block(0x7B, 0x4000, b"")


def compound(tree):
    """An OLE compound file of version 3: names to bytes (streams) or to such dictionaries (storages). Streams below 4096 bytes lie in
    the mini stream."""
    sectors, fat = [], []
    mini, mini_fat = bytearray(), []

    def chain(content):
        first = len(sectors)
        pieces = [content[i:i + 512].ljust(512, b"\0") for i in range(0, len(content), 512)] or [b"\0" * 512]
        for i, piece in enumerate(pieces):
            sectors.append(piece)
            fat.append(len(sectors) if i + 1 < len(pieces) else 0xFFFFFFFE)
        return first

    def mini_chain(content):
        first = len(mini_fat)
        count = max((len(content) + 63) // 64, 1)
        mini.extend(content.ljust(count * 64, b"\0"))
        mini_fat.extend(list(range(first + 1, first + count)) + [0xFFFFFFFE])
        return first

    entries = []

    def entry(name, kind, start=0xFFFFFFFE, size=0):
        entries.append({"name": name, "kind": kind, "start": start, "size": size, "child": 0xFFFFFFFF, "right": 0xFFFFFFFF})
        return len(entries) - 1

    def walk(at, node):
        before = None
        for name, value in node.items():
            if isinstance(value, dict):
                index = entry(name, 1)
                walk(index, value)
            else:
                index = entry(name, 2, chain(value) if len(value) >= 4096 else mini_chain(value), len(value))
            if before is None:
                entries[at]["child"] = index
            else:
                entries[before]["right"] = index
            before = index

    walk(entry("Root Entry", 5), tree)
    entries[0]["size"] = len(mini)
    if mini:
        entries[0]["start"] = chain(bytes(mini))
    table_mini = b"".join(struct.pack("<I", one) for one in mini_fat)
    at_mini_fat = chain(table_mini.ljust((len(table_mini) + 511) // 512 * 512, b"\xff")) if mini else 0xFFFFFFFE
    directory = b""
    for one in entries:
        raw = one["name"].encode("utf-16le")
        directory += raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw) + 2, one["kind"], 1, 0xFFFFFFFF, one["right"], one["child"])
        directory += b"\0" * 36 + struct.pack("<IQ", one["start"], one["size"])
    at_directory = chain(directory)
    at_fat = len(sectors)
    count = 1
    while (len(sectors) + count) * 4 > count * 512:
        count += 1
    fat += [0xFFFFFFFD] * count
    table = b"".join(struct.pack("<I", one) for one in fat).ljust(count * 512, b"\xff")
    sectors += [table[i:i + 512] for i in range(0, len(table), 512)]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + b"\0" * 6
    header += struct.pack("<IIIIIIIII", 0, count, at_directory, 0, 4096, at_mini_fat, (len(table_mini) + 511) // 512, 0xFFFFFFFE, 0)
    header += b"".join(struct.pack("<I", at_fat + i if i < count else 0xFFFFFFFF) for i in range(109))
    return header + b"".join(sectors)


# ── PDF ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

def rc4(key, data):
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def pdf(content, font="<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", catalog="", info="", extra=(),
        password=None, kids="[3 0 R]", filters="", count=1):
    objects = ["<</Type/Catalog/Pages 2 0 R%s>>" % catalog, "<</Type/Pages/Kids%s/Count %d>>" % (kids, count),
               "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
               (("<</Length %d%s>>" % (len(content), filters)).encode(), content), font, "<<%s>>" % info]
    objects += list(extra)
    trailer = ""
    if password is not None:
        mark = b"0123456789abcdef"
        padded = (password + PAD)[:32]
        owner = rc4(hashlib.md5(padded).digest()[:5], padded)
        key = hashlib.md5(padded + owner + struct.pack("<i", -4) + mark).digest()[:5]
        objects.append("<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P -4>>" % (owner.hex(), rc4(key, PAD).hex()))
        trailer = "/Encrypt %d 0 R/ID[<%s><%s>]" % (len(objects), mark.hex(), mark.hex())
        number = 4
        own = hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0").digest()[:10]
        objects[3] = (objects[3][0], rc4(own, content))
    out, places = b"%PDF-1.5\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number
        if isinstance(one, tuple):
            out += one[0] + b"\nstream\n" + one[1] + b"\nendstream"
        else:
            out += one.encode("latin-1")
        out += b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + table + ("trailer<</Size %d/Root 1 0 R/Info 6 0 R%s>>\nstartxref\n%d\n%%%%EOF\n"
                          % (len(objects) + 1, trailer, len(out))).encode()


def show(text):
    return b"BT /F1 12 Tf 72 700 Td (" + text.encode("cp1252") + b") Tj ET"


def make_pdf():
    sound = pdf(show("Avenant n\u00b0 7 au contrat pervenche"), info="/Title(Contrat cadre bruy\\350re)")
    put("simple.pdf", sound, words=["pervenche", "Avenant n° 7", "bruyère"])
    put("misnamed.doc", sound, words=["pervenche"], declared="application/msword")
    put("password.pdf", pdf(show("secret glycine"), password=b"sesame"), "encrypted", absent=["glycine"])
    put("owner-password.pdf", pdf(show("ouvert jonquille"), password=b""), words=["jonquille"])
    put("scan.pdf", pdf(b"0.5 g 0 0 612 792 re f", info="/Title(num\\351risation)"), "no_text", words=["numérisation"])
    put("truncated.pdf", sound[:sound.find(b"xref")] + sound[sound.find(b"trailer"):sound.find(b"startxref")], words=["pervenche"])  # poppler mends a lost table
    put("cut.pdf", sound[:60], "broken", absent=["pervenche"])
    attached = "7 0 R"
    put("attachment.pdf", pdf(show("voir la piece jointe"), catalog="/Names<</EmbeddedFiles<</Names[(annexe.txt) %s]>>>>" % attached,
                              extra=["<</Type/Filespec/F(annexe.txt)/UF(annexe.txt)/EF<</F 8 0 R>>>>",
                                     (b"<</Type/EmbeddedFile/Length 16>>", b"capucine annexee")]),
        words=["piece jointe", "annexe.txt", "capucine annexee"])
    # A font that is not embedded and has only the name of a character collection: poppler-data says which letters these are.
    japanese = "請求書".encode("shift_jis")
    put("japanese.pdf", pdf(b"BT /F1 12 Tf 72 700 Td <" + japanese.hex().encode() + b"> Tj ET",
                            font="<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/90ms-RKSJ-H/DescendantFonts[<</Type/Font/"
                                 "Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)"
                                 "/Supplement 2>>/FontDescriptor<</Type/FontDescriptor/FontName/HeiseiMin-W3/Flags 4>>>>]>>"),
        words=["請求書"])
    lines = b"BT /F1 12 Tf 72 700 Td 14 TL (Un avan-) Tj T* (tage pour la facture FA-) Tj T* (2024 et le pr\xe9l\xe8-) Tj T* (vement) Tj ET"
    put("hyphens.pdf", pdf(lines), words=["avantage pour", "pr\u00e9l\u00e8vement"])
    put("kids-loop.pdf", pdf(show("boucle"), kids="[2 0 R 2 0 R 3 0 R]"), "any")
    # Flate makes 500 KiB of 500 MiB: a page of nothing but work.
    squeeze = zlib.compressobj(9)
    block = squeeze.compress(b"q 1 0 0 1 0 0 cm Q " * 55_000)
    blocks = [block]
    for _ in range(300):
        blocks.append(squeeze.compress(b"q 1 0 0 1 0 0 cm Q " * 55_000))
    blocks.append(squeeze.flush())
    put("flate-bomb.pdf", pdf(b"".join(blocks), filters="/Filter/FlateDecode"), "any")


# ── Office ──────────────────────────────────────────────────────────────────────────────────────────────────────────

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
CORE = (XML + '<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="urn:dc"><dc:title>%s</dc:title><cp:keywords>%s</cp:keywords>'
        '</cp:coreProperties>')


def docx(body="Le renoncule est l&#233;", extra=()):
    return zip_of([
        ("[Content_Types].xml", XML + "<Types/>"),
        ("word/document.xml", XML + '<w:document %s><w:body><w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>%s'
         '</w:t></w:r><w:r><w:t>gal</w:t></w:r><w:r><w:tab/><w:t>colonne</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>Lot 1'
         '</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>12 caisses</w:t></w:r></w:p></w:tc></w:tr></w:tbl>'
         '<w:p><w:r><w:instrText>HYPERLINK champ-cache</w:instrText></w:r></w:p></w:body></w:document>' % (W, body)),
        ("word/footnotes.xml", XML + "<w:footnotes %s><w:footnote><w:p><w:r><w:t>note myosotis</w:t></w:r></w:p></w:footnote></w:footnotes>" % W),
        ("word/header1.xml", XML + "<w:hdr %s><w:p><w:r><w:t>en-t\u00eate verveine</w:t></w:r></w:p></w:hdr>" % W),
        ("word/comments.xml", XML + "<w:comments %s><w:comment><w:p><w:r><w:t>avis lavande</w:t></w:r></w:p></w:comment></w:comments>" % W),
        ("word/styles.xml", XML + "<w:styles %s><w:t>style-inaudible</w:t></w:styles>" % W),
        ("docProps/core.xml", CORE % ("Devis dahlia", "cl\u00e9-ancolie")),
    ] + list(extra))


def xlsx(rows, extra=()):
    return zip_of([
        ("[Content_Types].xml", XML + "<Types/>"),
        ("xl/worksheets/sheet1.xml", XML + "<worksheet><sheetData>%s</sheetData><headerFooter><oddHeader>&amp;L&amp;\"Arial\"&amp;12"
         "Page primev\u00e8re</oddHeader></headerFooter></worksheet>" % rows),
        ("xl/workbook.xml", XML + '<workbook><sheets><sheet name="Feuille myrtille" sheetId="1"/></sheets></workbook>'),
        ("xl/styles.xml", XML + '<styleSheet><numFmts><numFmt numFmtId="170" formatCode="dd\\/mm\\/yyyy"/></numFmts><cellXfs><xf '
         'numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="10"/></cellXfs></styleSheet>'),
        ("xl/sharedStrings.xml", XML + "<sst><si><t>acompte</t></si><si><r><t>solde </t></r><r><t>hortensia</t></r><rPh><t>lecture</t></rPh>"
         "</si></sst>"),
        ("xl/comments1.xml", XML + "<comments><commentList><comment><text><r><t>remarque cosmos</t></r></text></comment></commentList></comments>"),
    ] + list(extra))


def make_office():
    put("alt-chunk.docx", docx(extra=[("word/afchunk.htm", b"<p>venu du web anemone</p>")]), words=["renoncule", "anemone"])
    sound = docx(extra=[("word/embeddings/feuille.xlsx", xlsx('<row><c t="inlineStr"><is><t>imbriqu\u00e9 freesia</t></is></c></row>'))])
    put("simple.docx", sound, words=["renoncule", "est légal", "colonne", "12 caisses", "myosotis", "verveine", "lavande", "dahlia",
                                    "clé-ancolie", "freesia", "feuille.xlsx"], absent=["style-inaudible", "champ-cache"])
    put("renamed.bin", sound, words=["renoncule"], declared="application/octet-stream")
    put("truncated.docx", sound[:len(sound) // 3], "broken")
    put("entities.docx", docx("avant &bombe; apr\u00e8s"), "any")
    bomb = '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "lolo">' + "".join(
        '<!ENTITY %s "%s">' % (chr(98 + i), ("&%s;" % chr(97 + i)) * 10) for i in range(10)) + "]>"
    put("billion-laughs.docx", zip_of([("word/document.xml", bomb + "<w:document %s><w:body><w:p><w:r><w:t>camomille &k;</w:t></w:r></w:p>"
                                        "</w:body></w:document>" % W)]), words=["camomille"], absent=["lololo"])
    put("external-entity.docx", zip_of([("word/document.xml", '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
                                         "<w:document %s><w:body><w:p><w:r><w:t>reseda &x;</w:t></w:r></w:p></w:body></w:document>" % W)]),
        words=["reseda"], absent=["root:"])
    put("deep.docx", zip_of([("word/document.xml", "<w:document %s>" % W + "<w:p>" * 50_000)]), "any")
    put("simple.xlsx", xlsx('<row r="1"><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c s="1"><v>45424</v></c><c s="2"><v>45425.5</v></c>'
                            '<c><v>12345.67</v></c><c><v>0.30000000000000004</v></c><c s="3"><v>0.2</v></c></row><row r="2"><c t="str">'
                            '<f>A1</f><v>formule bleuet</v></c><c t="inlineStr"><is><t>en place</t></is></c></row>'),
        words=["Feuille myrtille", "acompte", "solde hortensia", "2024-05-12", "12/05/2024", "2024-05-13", "12345.67", "20 %", "bleuet",
               "en place", "cosmos", "Page primevère", "0.3\t"], absent=["lecture", "A1"])
    put("shared-string-bomb.xlsx", xlsx("<row>" + '<c t="s"><v>0</v></c>' * 100 + "</row>", [
        ("xl/sharedStrings2.xml", XML + "<sst></sst>")]), words=["acompte"])
    wide = "<row>" + '<c t="s"><v>0</v></c>' * 200_000 + "</row>"
    put("amplified.xlsx", zip_of([("xl/workbook.xml", XML + "<workbook/>"), ("xl/sharedStrings.xml", XML + "<sst><si><t>" + "mauve " * 200 +
                                                                             "</t></si></sst>"),
                                  ("xl/worksheets/sheet1.xml", XML + "<worksheet>" + wide + "</worksheet>")]), "over_limit")
    put("simple.pptx", zip_of([
        ("[Content_Types].xml", XML + "<Types/>"),
        ("ppt/slides/slide1.xml", XML + "<p:sld %s><a:p><a:r><a:t>Diapositive gla\u00efeul</a:t></a:r></a:p></p:sld>" % A),
        ("ppt/notesSlides/notesSlide1.xml", XML + "<p:notes %s><a:p><a:r><a:t>note oratoire jasmin</a:t></a:r></a:p></p:notes>" % A),
        ("ppt/slideMasters/slideMaster1.xml", XML + "<p:sldMaster %s><a:p><a:r><a:t>invite-du-masque</a:t></a:r></a:p></p:sldMaster>" % A)]),
        words=["glaïeul", "jasmin"], absent=["invite-du-masque"])
    put("protected.docx", compound({"EncryptionInfo": b"\4\0\4\0", "EncryptedPackage": random.Random(64).randbytes(64)}), "encrypted")

    office = 'xmlns:office="urn:o" xmlns:text="urn:t" xmlns:table="urn:ta" xmlns:dc="urn:dc"'

    def odf(kind, body, extra=()):
        return zip_of([("mimetype", "application/vnd.oasis.opendocument." + kind),
                       ("content.xml", XML + "<office:document-content %s><office:body>%s</office:body></office:document-content>" % (office, body)),
                       ("styles.xml", XML + "<office:document-styles %s><text:p>pied de page aster</text:p></office:document-styles>" % office),
                       ("meta.xml", XML + "<office:document-meta %s><dc:title>titre arum</dc:title></office:document-meta>" % office)]
                      + list(extra), stored=("mimetype",))

    put("simple.odt", odf("text", "<text:p>Le mot co<text:note><text:note-citation>1</text:note-citation><text:p>note violette</text:p>"
                                  "</text:note>quelicot<text:s text:c=\"2\"/>reste</text:p><office:annotation><text:p>avis iris</text:p>"
                                  "</office:annotation>"),
        words=["coquelicot", "reste", "violette", "iris", "aster", "titre arum"])
    put("simple.ods", odf("spreadsheet", '<table:table table:name="Onglet tulipe"><table:table-row><table:table-cell><text:p>avoir</text:p>'
                                         '</table:table-cell><table:table-cell office:date-value="2024-05-12"><text:p>12 mai 2024</text:p>'
                                         "</table:table-cell></table:table-row></table:table>"),
        words=["Onglet tulipe", "avoir", "12 mai 2024", "2024-05-12"])
    put("simple.odp", odf("presentation", "<text:p>Plan muguet</text:p>"), words=["muguet"])
    put("protected.odt", odf("text", "", [("META-INF/manifest.xml", XML + '<m:manifest xmlns:m="urn:m"><m:file-entry><m:encryption-data/>'
                                                                          "</m:file-entry></m:manifest>")]), "encrypted")
    put("flat.fodt", (XML + "<office:document %s><text:p>plat nigelle</text:p></office:document>" % office).encode(), words=["nigelle"])


# ── old Office ──────────────────────────────────────────────────────────────────────────────────────────────────────

def word_file(pieces, flags=0):
    """pieces: (text, wide?)"""
    fib = bytearray(0x600)
    struct.pack_into("<HH", fib, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", fib, 0x0A, flags)
    text, positions, descriptors, at = b"", [0], b"", 0
    for letters, wide in pieces:
        place = 0x600 + len(text)
        text += letters.encode("utf-16le" if wide else "cp1252")
        at += len(letters)
        positions.append(at)
        descriptors += struct.pack("<HIH", 0, place if wide else place * 2 | 0x40000000, 0)
    list_ = b"".join(struct.pack("<I", one) for one in positions) + descriptors
    clx = b"\2" + struct.pack("<I", len(list_)) + list_
    struct.pack_into("<II", fib, 0x1A2, 0, len(clx))
    return compound({"WordDocument": bytes(fib) + text, "0Table": clx})


def biff(*records):
    return b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in records)


def excel_file(*cells, protected=False):
    def wide(text):
        return struct.pack("<HB", len(text), 1) + text.encode("utf-16le")

    begin = (0x809, struct.pack("<HHIHI", 0x600, 5, 0, 0, 0)[:16])
    # The second shared string is cut in its middle, where the letters change their width.
    first = struct.pack("<II", 2, 2) + struct.pack("<HB", 7, 0) + b"facture" + struct.pack("<HB", 9, 0) + b"pi"
    records = [begin] + ([(0x2F, b"\0" * 6)] if protected else []) + [
        (0x41E, struct.pack("<H", 170) + wide("dd/mm/yyyy")), (0xE0, struct.pack("<HH", 0, 0)), (0xE0, struct.pack("<HH", 0, 170)),
        (0x85, struct.pack("<IBB", 0, 0, 0) + struct.pack("<BB", 7, 0) + b"Bilan91"), (0xFC, first), (0x3C, b"\1" + "\u00e8ce n\u00b01".encode("utf-16le")),
        (0x0A, b""), (0x809, struct.pack("<HHII", 0x600, 16, 0, 0)), (0xFD, struct.pack("<HHHI", 0, 0, 0, 0)),
        (0xFD, struct.pack("<HHHI", 0, 1, 0, 1)), (0x203, struct.pack("<HHHd", 1, 0, 0, 1234.5)),
        (0x27E, struct.pack("<HHHI", 1, 1, 1, 45424 << 2 | 2)), (0x204, struct.pack("<HHH", 2, 0, 0) + wide("\u041a\u0438\u0435\u0432")),
        (0x06, struct.pack("<HHH", 2, 1, 0) + b"\0\0\0\0\0\0\xff\xff" + b"\0" * 8), (0x207, wide("r\u00e9sultat ficaire")),
        (0x1B6, b"\0" * 10 + struct.pack("<HHI", 13, 16, 0)), (0x3C, b"\0" + b"note campanul"), (0x3C, b"\0" * 16), (0x0A, b"")]
    return compound({"Workbook": biff(*records)})


def powerpoint_file():
    def record(kind, body, container=False):
        return struct.pack("<HHI", 0xF if container else 0, kind, len(body)) + body

    slide = record(0x3EE, record(0xFA0, "Vue \u00e9glantine".encode("utf-16le")) + record(0xFA8, b"ligne capselle"), True)
    master = record(0x3F8, record(0xFA0, "invite-du-masque".encode("utf-16le")), True)
    return compound({"Current User": struct.pack("<IIIIIII", 0, 0, 0x14, 0xE391C05F, 0, 0, 0), "PowerPoint Document": record(0x3E8, master + slide, True)})


def message_file(inner=None):
    def wide(text):
        return text.encode("utf-16le")

    tree = {"__properties_version1.0": b"\0" * 32, "__substg1.0_0037001F": wide("Objet p\u00e2querette"),
            "__substg1.0_0C1A001F": wide("Claire Moreau"), "__substg1.0_5D01001F": wide("claire@dupont.example"),
            "__substg1.0_1000001F": wide("Corps du message gen\u00eat"),
            "__recip_version1.0_#00000000": {"__substg1.0_3001001F": wide("Paul Henri"), "__substg1.0_39FE001F": wide("paul@durand.example")},
            "__attach_version1.0_#00000000": {"__substg1.0_3707001F": wide("bon.txt"), "__substg1.0_37010102": b"bon tilleul"}}
    if inner:
        tree["__attach_version1.0_#00000001"] = {"__substg1.0_3701000D": inner}
    return tree


def make_old_office():
    put("simple.doc", word_file([("Courrier seringa\r\x13HYPERLINK champ-cache\x14lien visible\x15\r", False),
                                 ("\u041f\u0438\u0441\u044c\u043c\u043e \u0153illet\r", True)]),
        words=["seringa", "lien visible", "Письмо", "œillet"], absent=["champ-cache"])
    put("password.doc", word_file([("cach\u00e9 sureau", False)], flags=0x100), "encrypted", absent=["sureau"])
    put("no-pieces.doc", compound({"WordDocument": struct.pack("<HH", 0xA5EC, 0xC1) + b"\0" * 0x600, "0Table": b"\0" * 10}), "broken")
    put("simple.xls", excel_file(), words=["Bilan91", "facture", "pièce n°1", "1234.5", "2024-05-12", "Киев", "résultat ficaire", "campanul"])
    put("password.xls", excel_file(protected=True), "encrypted", absent=["ficaire"])
    put("raw.xls", biff((0x809, struct.pack("<HHHH", 0x500, 5, 0, 0)), (0x42, struct.pack("<H", 1251)),
                        (0x204, struct.pack("<HHHH", 0, 0, 0, 5) + "\u0421\u0447\u0451\u0442".encode("cp1251") + b"1"), (0x0A, b"")), words=["Счёт1"])
    put("simple.ppt", powerpoint_file(), words=["églantine", "capselle"], absent=["invite-du-masque"])
    put("simple.msg", compound(message_file()), words=["pâquerette", "Claire Moreau", "claire@dupont.example", "genêt", "paul@durand.example",
                                                      "bon.txt", "bon tilleul"])
    put("nested.msg", compound(message_file(message_file())), words=["message/bon.txt"])
    sound = excel_file()
    broken = bytearray(sound)
    struct.pack_into("<I", broken, 0x30, 3)  # the directory begins in a stream
    put("bad-directory.xls", bytes(broken), "any")
    circle = bytearray(sound)
    first = 512 * (1 + struct.unpack_from("<I", circle, 0x4C)[0])
    for i in range(0, 40, 4):
        struct.pack_into("<I", circle, first + i, 1)  # chains that come back to themselves
    put("circle.xls", bytes(circle), "any")
    put("truncated.doc", word_file([("x" * 3000, False)])[:1500], "broken")


# ── text, mail, archives ────────────────────────────────────────────────────────────────────────────────────────────

def make_texts():
    put("utf8.txt", "Le relev\u00e9 pivoine".encode(), words=["relevé pivoine"])
    put("latin1.txt", "Le relev\u00e9 pivoine de l'\u00e9t\u00e9".encode("latin-1"), words=["relevé pivoine de l'été"])
    put("wrong-charset.txt", "Le relev\u00e9 pivoine".encode(), words=["relevé"], declared="text/plain", charset="iso-8859-1")
    put("cyrillic.txt", "\u0421\u0447\u0451\u0442 \u043d\u0430 \u043e\u043f\u043b\u0430\u0442\u0443".encode("koi8-r"), words=["Счёт на оплату"],
        declared="text/plain", charset="koi8-r")
    put("utf16-no-mark.txt", "Bilan r\u00e9s\u00e9da du mois".encode("utf-16le"), words=["Bilan réséda du mois"])
    put("utf16.csv", "\ufeffnom;ville\r\nDupont;Montr\u00e9al\r\n".encode("utf-16le"), words=["Dupont", "Montréal"])
    put("table.tsv", "n\u00b0\tmontant\n7\t12,50\n".encode("cp1252"), words=["n°\tmontant", "12,50"])
    put("empty.txt", b"", "no_text")
    put("noise.dat", random.Random(1).randbytes(5000), "unknown_format")
    put("page.html", '<html><head><meta charset="iso-8859-15"><title>Devis</title></head><body><p>Prix\u00a0: 12 \u20ac l\'\u0153illet</p>'
                     "<script>cache</script></body></html>".encode("iso-8859-15"), words=["12 € l'œillet", "Devis"], absent=["cache"])
    put("data.xml", (XML + '<Invoice currency="EUR"><Supplier name="SARL Dupont"/><Total>1234.50</Total></Invoice>').encode(),
        words=["SARL Dupont", "1234.50", "EUR"], absent=["Invoice"])
    put("meeting.ics", ("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
                        "SUMMARY:R\u00e9union du comit\u00e9 \r\n am\u00e9lanchier\r\nDTSTART;TZID=Europe/Paris:20240512T093000\r\nORGANIZER;CN=\"Moreau\\, Claire\":"
                        "mailto:claire@dupont.example\r\nLOCATION:Salle 4\\, b\u00e2t. B\r\nUID:cache\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").encode(),
        words=["amélanchier", "2024-05-12", "claire@dupont.example", "Moreau", "Salle 4, bât. B"], absent=["cache", "VEVENT"])
    put("card.vcf", b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:L=C3=A9gar=\r\n=C3=A9;Ren=C3=A9\r\n"
                    b"TEL;WORK:01 23 45 67 89\r\nPHOTO;ENCODING=BASE64:AAAA\r\nEND:VCARD\r\n", words=["Légaré René", "01 23 45 67 89"], absent=["AAAA"])
    rtf = (r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil Arial-cache;}{\f1\fcharset204 Cyr;}}{\colortbl;\red0;}{\info{\title Lettre sauge}}"
           r"\uc1 Le pr\'e9al\'e8vement l\u8217'\'e9t\'e9\par{\f1\'ca\'e8\'e5\'e2}\par\u128512?\u-9524?{\*\generator cache}{\pict 0102cache}"
           r"{\object{\*\objdata 0102}{\result visible thym}}\cell fin}")
    put("letter.rtf", rtf.encode(), words=["Lettre sauge", "préalèvement", "l’été", "Киев", "visible thym", "fin"], absent=["cache", "0102"])
    put("truncated.rtf", rtf.encode()[:-8] + b"{\\b ouvert", "broken", words=["visible thym"])
    put("deep.rtf", b"{\\rtf1 " + b"{" * 200_000, "over_limit")
    put("bin.rtf", b"{\\rtf1 avant\\bin99999999 apres", "any")


def mail_of(parts, extra=""):
    out = ("From: Claire Moreau <claire@dupont.example>\r\nTo: paul@durand.example\r\nSubject: =?utf-8?q?Envoi_cyclamen?=\r\nMIME-Version: 1.0\r\n"
           + extra + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n').encode()
    for head, content in parts:
        out += b"--b\r\n" + head.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")
    return out + b"--b--\r\n"


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


DATA, SIGNED, ENVELOPED = (bytes.fromhex("06092a864886f70d0107" + one) for one in ("01", "02", "03"))


def make_mails():
    document = docx()
    inner = mail_of([("Content-Type: text/plain; charset=utf-8", "Corps orchid\u00e9e".encode()),
                     ('Content-Type: application/octet-stream; name="devis.docx"\r\nContent-Disposition: attachment; filename="devis.docx"', document)])
    put("mail.eml", inner, words=["Envoi cyclamen", "claire@dupont.example", "orchidée", "devis.docx", "renoncule"])
    put("mail.emlx", b"%d      \n" % len(inner) + inner + b"<?xml version=\"1.0\"?><plist>cache</plist>", words=["orchidée"], absent=["cache"])
    put("page.mht", b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n"
                    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Page enregistr=C3=A9e fuchsia</p>\r\n--x--\r\n", words=["enregistrée fuchsia"])
    put("page.doc", b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>word web "
                    b"gardenia</p>\r\n--x--\r\n", words=["gardenia"], declared="application/msword")
    signed = der(0x30, SIGNED + der(0xA0, der(0x30, b"\x02\x01\x01\x31\x00" + der(0x30, DATA + der(0xA0, der(0x04, b"Content-Type: text/plain\r\n\r\nsigne "
                                                                                                     b"azalee\r\n"))) + b"\x31\x00")))
    put("signed.p7m", signed, words=["azalee"])
    put("base64.p7m", base64.encodebytes(signed), words=["azalee"])
    invoice = der(0x30, SIGNED + der(0xA0, der(0x30, b"\x02\x01\x01\x31\x00" + der(0x30, DATA + der(0xA0, der(0x04, pdf(show("facture magnolia"))))) + b"\x31\x00")))
    put("facture.pdf.p7m", invoice, "no_text", words=["magnolia", "facture.pdf"])
    put("enveloped.p7m", der(0x30, ENVELOPED + der(0xA0, der(0x30, b"\x02\x01\x00\x31\x00" + der(0x30, DATA + der(0x30, bytes.fromhex(
        "0609608648016503040102") + der(0x04, b"0" * 16)) + der(0x80, b"x" * 32))))), "encrypted")

    def attribute(level, number, kind, content):
        return bytes([level]) + struct.pack("<HHI", number, kind, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)

    def text_property(number, text):
        raw = text.encode("utf-16le") + b"\0\0"
        return struct.pack("<HHII", 0x1F, number, 1, len(raw)) + raw + b"\0" * (-len(raw) % 4)

    rtf_body = rb"{\rtf1\ansi corps en rtf wisteria}"
    stored = struct.pack("<IIII", len(rtf_body) + 12, len(rtf_body), 0x414C454D, 0) + rtf_body
    properties = struct.pack("<I", 2) + text_property(0x37, "Sujet lilas") + struct.pack("<HHII", 0x102, 0x1009, 1, len(stored)) + stored
    put("winmail.dat", b"\x78\x9f\x3e\x22\1\0" + attribute(1, 0x9007, 6, struct.pack("<II", 1252, 0)) + attribute(1, 0x9003, 6, properties)
        + attribute(2, 0x9002, 6, b"\0" * 14) + attribute(2, 0x8010, 1, "re\u00e7u.txt\0".encode("cp1252")) + attribute(2, 0x800F, 6, b"piece hibiscus"),
        words=["Sujet lilas", "wisteria", "reçu.txt", "hibiscus"], declared="application/ms-tnef")
    put("truncated-winmail.dat", b"\x78\x9f\x3e\x22\1\0" + attribute(1, 0x8004, 1, b"coup\xe9 zinnia\0") + b"\2" + struct.pack("<HHI", 0x800F, 6, 10**8), "broken",
        words=["zinnia"])
    put("message.asc", b"-----BEGIN PGP MESSAGE-----\n\nhQEMA0\n-----END PGP MESSAGE-----\n", "encrypted")


def make_archives():
    text = "note immortelle".encode()
    put("simple.zip", zip_of([("dossier/note.txt", text), ("devis.docx", docx()), ("__MACOSX/._note.txt", b"cache")]), "no_text",
        words=["dossier/note.txt", "immortelle", "renoncule"], absent=["__MACOSX"])
    nested = text
    for level in range(6):
        nested = zip_of([("niveau%d.%s" % (level, "zip" if level else "txt"), nested)])
    put("nested.zip", nested, "over_limit", words=["niveau5.zip", "niveau4.zip", "niveau3.zip"], absent=["immortelle"])
    put("password.zip", encrypted_zip("secret.txt", "clair.txt", text), "encrypted", words=["secret.txt", "clair.txt", "immortelle"])
    put("cp850.zip", raw_name_zip("relev\u00e9 d'\u00e9t\u00e9.txt".encode("cp850"), text), "no_text", words=["relevé d'été.txt"])
    put("shift-jis.zip", raw_name_zip("\u8acb\u6c42\u66f8.txt".encode("shift_jis"), text), "no_text", words=["請求書.txt"])
    put("simple.7z", seven_zip("note.txt", text), "no_text", words=["note.txt", "immortelle"])
    put("simple.rar", rar("note.txt", text), "no_text", words=["note.txt", "immortelle"])
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("dossier/note.txt")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    put("simple.tar", out.getvalue(), "no_text", words=["dossier/note.txt", "immortelle"])
    put("simple.tgz", gzip.compress(out.getvalue(), mtime=0), "no_text", words=["dossier/note.txt", "immortelle"])
    put("journal.log.gz", gzip.compress(text, mtime=0), "no_text", words=["journal.log", "immortelle"])
    put("truncated.gz", gzip.compress(random.Random(3000).randbytes(3000).hex().encode() + text, mtime=0)[:1500], "broken")
    put("empty.zip", zip_of([]), "no_text")
    put("truncated.zip", zip_of([("a.txt", random.Random(4000).randbytes(4000).hex().encode())])[:1000], "broken", words=["a.txt"])
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(zeros.compress(b"\0" * (1 << 20)) for _ in range(512)) + zeros.flush()
    put("bomb.gz", data, "over_limit")
    put("bomb.zip", zip_of([("b.gz", data), ("apres.txt", text)], stored=()), "over_limit", words=["b.gz"])
    quine = zip_of([("n%d.txt" % i, text) for i in range(3000)])
    put("many.zip", quine, "over_limit", words=["n0.txt"])
    squeezed = zip_of([("blancs.txt", b" " * 50_000_000)])
    put("blank-bomb.zip", squeezed, "over_limit")
    put("picture.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "no_text")


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────

def arc(x, y, width, height, begin, end):
    """Points of an ellipse around (x, y), degrees against the clock, 0 to the right."""
    steps = max(8, int(abs(end - begin) / 6))
    return [(x + width * math.cos(math.radians(begin + (end - begin) * i / steps)),
             y + height * math.sin(math.radians(begin + (end - begin) * i / steps))) for i in range(steps + 1)]


RING, HOOK = arc(5.2, 5, 4.3, 5, 0, 360), arc(5, 6, 4, 4, 180, 0)
# Letters as a pen goes, on a baseline at 0, an x high 10: (width, strokes).
LETTERS = {
    "a": (9.5, [arc(4.4, 3, 3.6, 3, 0, 360), arc(4.6, 6.6, 3.5, 3.4, 150, 0) + [(8.1, 0)]]),
    "b": (10.5, [[(1, 15), (1, 0)], RING]),
    "c": (9.2, [arc(5.2, 5, 4.3, 5, 50, 310)]),
    "d": (10.5, [[(9.5, 15), (9.5, 0)], RING]),
    "e": (10, [[(0.9, 5), (9.4, 5)] + arc(5.2, 5, 4.3, 5, 0, 315)]),
    "f": (6.5, [arc(5.9, 12.2, 2.6, 2.8, 60, 180) + [(3.3, 0)], [(0.6, 10), (6.2, 10)]]),
    "g": (10.5, [RING, [(9.5, 10), (9.5, -1.5)] + arc(5.3, -1.5, 4.2, 3.5, 360, 205)]),
    "h": (10, [[(1, 15), (1, 0)], HOOK + [(9, 0)]]),
    "i": (3, [[(1.5, 10), (1.5, 0)], [(1.5, 14), (1.5, 14.4)]]),
    "l": (3, [[(1.5, 15), (1.5, 0)]]),
    "m": (15.6, [[(1, 10), (1, 0)], arc(4.3, 6.7, 3.3, 3.3, 180, 0) + [(7.6, 0)], arc(10.9, 6.7, 3.3, 3.3, 180, 0) + [(14.2, 0)]]),
    "n": (10, [[(1, 10), (1, 0)], HOOK + [(9, 0)]]),
    "o": (10, [RING]),
    "p": (10.5, [[(1, 10), (1, -5)], RING]),
    "q": (10.5, [[(9.5, 10), (9.5, -5)], RING]),
    "r": (7, [[(1, 10), (1, 0)], arc(5, 6, 4, 4, 180, 70)]),
    "s": (8.6, [arc(4.4, 7.5, 3, 2.5, 35, 270) + arc(4.4, 2.5, 3.3, 2.5, 90, -150)]),
    "t": (6.8, [[(2.8, 13.5)] + arc(5.3, 2.6, 2.5, 2.6, 180, 290), [(0.5, 10), (6.2, 10)]]),
    "u": (10, [[(1, 10)] + arc(5, 4, 4, 4, 180, 360), [(9, 10), (9, 0)]]),
    "v": (9, [[(0.6, 10), (4.5, 0), (8.4, 10)]]),
    "w": (13, [[(0.6, 10), (3.5, 0), (6.5, 10), (9.5, 0), (12.4, 10)]]),
    "y": (9, [[(0.6, 10), (4.6, 0)], [(8.6, 10), (3, -5)]]),
    "z": (9, [[(1, 10), (8, 10), (1, 0), (8, 0)]]),
    " ": (6, []),
}
for letter, plain, stroke in (("é", "e", [(4.5, 12), (6.8, 15)]), ("è", "e", [(5.8, 12), (3.5, 15)]), ("à", "a", [(5.2, 12), (3, 15)])):
    LETTERS[letter] = (LETTERS[plain][0], LETTERS[plain][1] + [stroke])


def drawing(lines, scale=3.0, margin=40):
    """(width, height, grey bytes) of black letters on white."""
    width = int(max(sum(LETTERS[c][0] + 2 for c in line) for line in lines) * scale) + 2 * margin
    height = int(len(lines) * 28 * scale) + 2 * margin
    rows = [bytearray(b"\xff" * width) for _ in range(height)]
    radius = 0.95 * scale
    pen = [(dy, int(math.sqrt(radius * radius - dy * dy))) for dy in range(-int(radius), int(radius) + 1)]
    for number, line in enumerate(lines):
        left, base = margin, margin + (number * 28 + 18) * scale
        for c in line:
            advance, strokes = LETTERS[c]
            for stroke in strokes:
                for (x0, y0), (x1, y1) in zip(stroke, stroke[1:]):
                    steps = max(1, int(math.hypot(x1 - x0, y1 - y0) * scale))
                    for i in range(steps + 1):
                        x = int(left + (x0 + (x1 - x0) * i / steps) * scale)
                        y = int(base - (y0 + (y1 - y0) * i / steps) * scale)
                        for dy, half in pen:
                            rows[y + dy][x - half:x + half + 1] = bytes(2 * half + 1)
            left += int((advance + 2) * scale)
    return width, height, b"".join(rows)


def png(width, height, grey, claimed=None, level=1):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    rows = b"".join(b"\0" + grey[y * width:(y + 1) * width] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *(claimed or (width, height)), 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND", b""))


def bmp(width, height, grey):
    """8 bits, a palette of greys, from the bottom up."""
    stride = (width + 3) // 4 * 4
    rows = b"".join(grey[y * width:(y + 1) * width].ljust(stride, b"\0") for y in reversed(range(height)))
    palette = b"".join(bytes((i, i, i, 0)) for i in range(256))
    head = 14 + 40 + len(palette)
    return (b"BM" + struct.pack("<IHHI", head + len(rows), 0, 0, head) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, len(rows), 2835, 2835, 256, 0)
            + palette + rows)


def tiff(pages):
    """Uncompressed, a directory behind each page's bytes."""
    out = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for width, height, grey in pages:
        place = len(out)
        out += grey + b"\0" * (len(grey) % 2)
        out[link:link + 4] = struct.pack("<I", len(out))
        fields = ((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, place), (277, 3, 1), (278, 4, height), (279, 4, len(grey)))
        out += struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in fields)
        link = len(out)
        out += b"\0\0\0\0"
    return bytes(out)


def scanned_pdf(pages, info=""):
    """A picture on each page, as a scanner writes them."""
    kids, extra = [], []
    for width, height, grey in pages:
        first = 7 + len(extra)
        kids.append("%d 0 R" % first)
        high = 612 * height // width
        show_it = b"q 612 0 0 %d 0 0 cm /I Do Q" % high
        data = zlib.compress(grey)
        extra += ["<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 %d]/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>" % (high, first + 1, first + 2),
                  (b"<</Length %d>>" % len(show_it), show_it),
                  (b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode/Length %d>>"
                   % (width, height, len(data)), data)]
    return pdf(b"", info=info, extra=extra, kids="[%s]" % " ".join(kids), count=len(kids))


def make_pictures():
    letter = drawing(["la marguerite et la capucine", "une lettre préparée à la mairie", "sunflower seeds for the meadow", "please send the parcel on monday"])
    words = ["la marguerite et la capucine", "préparée à la mairie", "sunflower seeds", "on monday"]
    put_picture("letter.png", png(*letter), words=words)
    put_picture("letter.bmp", bmp(*letter), words=words)
    second = drawing(["la primevère et la pensée", "daffodils in the garden"])
    put_picture("fax.tif", tiff([letter, second]), words=["marguerite", "primevère", "daffodils"])
    put_picture("scanned.pdf", scanned_pdf([second, letter], info="/Title(bordereau num\\351ris\\351)"),
                words=["bordereau numérisé", "la primevère et la pensée", "daffodils in the garden", "marguerite"])
    # What a screen shows: letters a fifth as high.
    put_picture("screen.png", png(*drawing(["%s et la capucine de %s" % (a, b) for a in ("la marguerite", "une lettre", "le pommier") for b in ("paris", "mai", "pau", "nantes")],
                                           scale=1.1, margin=60)), words=["marguerite", "pommier"])
    blank = 500, 400, bytes(random.Random(7).choices(range(180, 256), k=500 * 400))  # light noise, as of a sheet without text
    put_picture("blank.png", png(*blank), "no_text")
    sound = png(*letter)
    put_picture("truncated.png", sound[:len(sound) // 2], "broken")
    # Attackers: they say little and unpack to much.
    put_picture("giant.png", png(1, 1, b"\0", claimed=(60_000, 60_000)), "over_limit")
    put_picture("flat.png", png(7_500, 8_000, bytes(7_500 * 8_000), level=9), "no_text")
    put_picture("bomb.png", png(16_000, 16_000, bytes(16_000 * 16_000), level=9), "over_limit")
    put_picture("pages.tif", tiff([(400, 300, b"\xff" * 120_000)] + [(1, 1, b"\0")] * 3_000), "over_limit")
    put_picture("huge-page.pdf", pdf(b"0.5 g 0 0 99 99 re f").replace(b"[0 0 612 792]", b"[0 0 9000000 9000000]"), "over_limit")
    put("logo.png", png(*drawing(["capucine"], scale=1.2, margin=10)), "no_text")


def main():
    global OUT
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    OUT = parser.parse_args().out
    os.makedirs(OUT, exist_ok=True)
    for make in (make_pdf, make_office, make_old_office, make_texts, make_mails, make_archives, make_pictures):
        make()
    for name, rows in (("OCR.tsv", OCR_ROWS), ("MANIFEST.tsv", ROWS)):
        with open(os.path.join(OUT, name), "w", encoding="utf-8") as manifest:
            manifest.write("file\tdeclared\tcharset\tstatus\twords\tabsent\n")
            for row in rows:
                manifest.write("\t".join(one.replace("\t", "<TAB>") for one in row) + "\n")


if __name__ == "__main__":
    main()
