"""Is a hit's snippet true? Judged by plain Python from the mail's own bytes.

Marks are ranges of characters, rising and apart; each is a word or a phrase that the query asks for; the text around them stands in the
part that the snippet names, in the mail's own spelling; and a snippet says that it has no mark only where its part has nothing that
was asked for.
"""
import email
import email.header
import html.parser
import re
import unicodedata

SPECIAL = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "\u00ad": None, "\u200b": None,
                         "\u200c": None, "\u200d": None, "\ufeff": None, "\u2060": None, "\u0640": None})
ELIDED = {"l", "d", "j", "n", "s", "t", "c", "m", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "presqu"}
TEXT_FIELDS = {"": {"subject", "body", "quoted", "filename", "attachment"}, "subject": {"subject"}, "body": {"body", "quoted"}, "filename": {"filename"},
               "attachment": {"attachment"}}


def fold(text):
    text = unicodedata.normalize("NFKC", text).casefold().translate(SPECIAL)
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def words(text):
    return re.findall(r"[^\W_]+", fold(text))


class _Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out, self.hidden = [], 0

    def handle_starttag(self, tag, attributes):
        if tag in ("style", "script", "title"):
            self.hidden += 1
        if tag not in ("b", "i", "u", "em", "strong", "span", "font", "a", "small", "sup", "sub"):
            self.out.append(" ")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if tag in ("style", "script", "title"):
            self.hidden = max(0, self.hidden - 1)
        if tag not in ("b", "i", "u", "em", "strong", "span", "font", "a", "small", "sup", "sub"):
            self.out.append(" ")

    def handle_data(self, data):
        if not self.hidden:
            self.out.append(data)


def decoded(value):
    try:
        return str(email.header.make_header(email.header.decode_header(str(value or ""))))
    except (LookupError, UnicodeDecodeError, ValueError):
        return None


class Source:
    """What Python reads of a mail: parts by number, subject, file names."""

    def __init__(self, data):
        message = email.message_from_bytes(data)
        self.subject = decoded(message.get("subject"))
        self.parts, self.names = {}, []

        def walk(part, number):
            if part.get_filename():
                self.names.append(decoded(part.get_filename()))
            if part.is_multipart():
                for i, each in enumerate(part.get_payload(), 1):
                    walk(each, f"{number}.{i}" if number else str(i))
                return
            self.parts[number or "1"] = part

        walk(message, "")

    def text(self, number):
        """Of a part, or None when Python cannot tell it for sure."""
        part = self.parts.get(number)
        if part is None or not part.get_content_type().startswith("text/"):
            return None
        try:
            text = (part.get_payload(decode=True) or b"").decode(part.get_content_charset() or "us-ascii")
        except (LookupError, UnicodeDecodeError):
            return None
        if part.get_content_type() == "text/html":
            reader = _Text()
            reader.feed(text)
            return "".join(reader.out)
        return text


class Wanted:
    """What of a query is asked of text: words, phrases, beginnings, each with the pieces it looks at."""

    def __init__(self, query):
        self.terms = []  # (sort, words, where)
        for sign, name, value in re.findall(r'(-?)(?:([^\W\d_]{2,16}):)?(="[^"]*"|"[^"]*"|[^\s()"]+)', query):
            if value in ("OR", "AND", "|") or value.startswith("NEAR/"):
                continue
            if (name and name not in TEXT_FIELDS) or sign == "-":
                continue  # people, dates … mark no text
            exact = value.startswith("=")
            quoted = value.lstrip("=").startswith('"')
            each = words(value)
            if not each:
                continue
            if not quoted and not exact:
                while len(each) > 1 and each[0] in ELIDED and re.match(r"[^\W\d_]+['’]", value):
                    each, value = each[1:], re.split(r"['’]", value, maxsplit=1)[1]
            sort = "exact" if exact else "phrase" if quoted else "prefix" if value.endswith("*") else "word"
            self.terms.append((sort, each, TEXT_FIELDS[name]))

    def takes(self, marked, where, widened):
        got = words(marked)
        for sort, each, pieces in self.terms:
            if where not in pieces:
                continue
            if got == each or (sort in ("word", "prefix") and "".join(got) == "".join(each)):
                return True
            if sort == "prefix" and "".join(got).startswith("".join(each)):
                return True
            if widened and sort == "word" and len(got) == len(each) == 1 and got[0][:3] == each[0][:3]:
                return True
        # Two that overlap or touch are marked as one.
        known = {word for _, each, pieces in self.terms if where in pieces for word in each}
        return len(self.terms) > 1 and len(got) > 1 and set(got) <= known

    def stands_in(self, text, where):
        got = words(text)
        for sort, each, pieces in self.terms:
            if where in pieces and sort != "exact" and any(got[i : i + len(each)] == each for i in range(len(got) - len(each) + 1)):
                return True
        return False


def faults(query, hit, source, widened=False):
    """What is wrong with a hit's snippet; nothing: it is true."""
    wanted = Wanted(query)
    text, marks, where = hit["snippet"], hit["snippet_marks"], hit["snippet_where"]
    out = []
    at = 0
    for begin, end in marks:
        if not at <= begin < end <= len(text):
            return [f"marks {marks} of {len(text)} characters"]
        at = end
        if not wanted.takes(text[begin:end], where, widened):
            out.append(f"marks {text[begin:end]!r} in {where}")
    if where not in ("", "subject", "body", "quoted", "filename", "attachment"):
        out.append(f"where is {where!r}")
    if (where == "") != (text == ""):
        out.append(f"{where!r} with the text {text!r}")
    whole = source.text(hit["snippet_part"]) if where in ("body", "quoted", "attachment") else source.subject if where == "subject" else None
    if where == "filename" and None not in source.names:
        whole = " ".join(source.names)
    if whole is None:
        return out
    if where in ("body", "quoted"):
        whole = re.sub(r"(?m)^[ \t]*(?:[>|][ \t]?)+", "", whole)
    tokens = re.split(r"[\x00-\x20\x7f]+", whole.strip())
    shown = re.split(r"[\x00-\x20\x7f]+", re.sub(r"^…|…$", "", text).strip())
    # Between the first and the last, which may be cut: the mail's own words in their order; what was cited in between is left out.
    rest = iter(tokens)
    for word in shown[1:-1]:
        if not any(word == each for each in rest):
            out.append(f"{word!r} of the snippet does not stand so in {where} {hit['snippet_part']}")
            break
    for begin, end in marks:
        if " ".join(re.split(r"[\x00-\x20\x7f]+", text[begin:end])) not in " ".join(tokens):
            out.append(f"{text[begin:end]!r} is not the mail's spelling")
    # No mark is a claim too: no line of this part, own or cited, has what was asked.
    if not marks and where in ("body", "quoted", "attachment") and len(whole) < 1_000_000:
        for line in whole.splitlines():
            if wanted.stands_in(line, where):
                out.append(f"no mark, and it stands in {line[:80]!r}")
                break
    if not marks and wanted.stands_in(text, where):
        out.append("what was asked stands in the snippet, unmarked")
    return out


def unnoticed(query, hit, source, widened=False):
    """The judge's own teeth: what it lets pass of a true snippet that was spoiled. Nothing, or it is no judge."""
    out = []
    begin, end = hit["snippet_marks"][0]
    shifted = dict(hit, snippet_marks=[[begin + 1, end + 1], *hit["snippet_marks"][1:]])
    if not faults(query, shifted, source, widened):
        out.append("a mark that is shifted")
    if not faults(query, dict(hit, snippet_marks=[[begin, end], [begin, end]]), source, widened):
        out.append("a mark that stands twice")
    where = "body" if hit["snippet_where"] == "subject" else "people"
    if not faults(query, dict(hit, snippet_where=where), source, widened):
        out.append("another part")
    other = hit["snippet"][:begin] + hit["snippet"][begin:end].swapcase() + hit["snippet"][end:]
    known = source.text(hit["snippet_part"]) if hit["snippet_part"] else None
    if known is not None and other != hit["snippet"] and other[begin:end] not in known and not faults(query, dict(hit, snippet=other), source, widened):
        out.append("another spelling")
    return out
