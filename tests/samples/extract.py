# SPDX-License-Identifier: Apache-2.0
"""The samples of a document: its indented blocks (Markdown), or what stands between .nf and .fi (manual pages)."""

import re


class Sample:
    """A block of lines, with the place that it comes from."""

    def __init__(self, document, line, lines):
        self.place = f"{document}:{line}"
        self.lines = lines
        self.text = "\n".join(lines) + "\n"

    def kind(self):
        """What it is by how it looks; None is a sample that nobody knows how to try."""
        first = self.lines[0].strip()
        if any("+--" in line or re.fullmatch(r"[\s|]+", line) for line in self.lines):
            return "figure"
        if first.startswith("["):
            return "unit" if first in ("[Socket]", "[Service]", "[Unit]") else "configuration"
        if first.startswith("{"):
            return "json"
        if first.startswith("#include") or re.search(r";\s*(/\*.*)?$", first):
            return "c"
        if first.startswith("bpftrace "):
            return "bpftrace"
        if re.match(r"(build/)?membroker(d|ctl)\b|make\b|journalctl\b|systemctl\b|export\b|printf\b|kill\b", first):
            return "shell"
        return None


def indented_blocks(document, text):
    block, begun, fenced = [], 0, False
    for number, line in enumerate(text.split("\n") + ["end"], 1):
        if line.startswith("```"):
            fenced = not fenced
        is_code = line.startswith("    ") or (fenced and not line.startswith("```"))
        if is_code or (block and not line.strip()):
            begun = begun if block else number
            block.append(line[4:] if line.startswith("    ") else line)
        elif block:
            while not block[-1].strip():
                block.pop()
            yield Sample(document, begun, block)
            block = []


def plain(line):
    """A line of roff as a reader sees it."""
    line = re.sub(r"^\.(B|I|BR|BI|RB|IR|RI|IB) ", "", line)
    line = re.sub(r"\\f[BIRP]", "", line)
    return line.replace("\\-", "-").replace("\\(dq", '"').replace("\\e", "\\").replace("\\&", "")


def manual_blocks(document, text):
    block, begun, section = None, 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(".SH"):
            section = line
        elif line in (".nf", ".EX"):
            block, begun = [], number + 1
        elif line in (".fi", ".EE") and block is not None:
            if block and "SYNOPSIS" not in section:
                yield Sample(document, begun, block)
            block = None
        elif block is not None:
            block.append(plain(line))


def samples(document):
    """All samples of a document, in order."""
    with open(document, encoding="utf-8") as file:
        text = file.read()
    return list(indented_blocks(document, text) if document.endswith(".md") else manual_blocks(document, text))
