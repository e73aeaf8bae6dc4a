# SPDX-License-Identifier: Apache-2.0
"""
Finds what can be broken in a C file: each mutant is one operator, constant, condition or statement changed.

Works on tokens, and relies on the format that clang-format gives this project: a binary operator stands between
spaces, a pointer's star does not. Only bodies of functions are broken; comments, strings, preprocessor lines,
assertions and declarations are not. What then does not compile is no mutant: the caller finds out.
"""
import re

TOKENS = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|\#(?:[^\n\\]|\\.)*)
      |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      |(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|[0-9][0-9.]*[uUlLfF]*)
      |(?P<word>[A-Za-z_]\w*)
      |(?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\w\s])""",
    re.VERBOSE | re.DOTALL)

SWAPS = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"], "<<": [">>"], ">>": ["<<"],
    "&": ["|"], "|": ["&"], "^": ["&"], "&&": ["||"], "||": ["&&"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "|=": ["&="], "&=": ["|="], "<<=": [">>="], ">>=": ["<<="],
    "++": ["--"], "--": ["++"], "true": ["false"], "false": ["true"],
}
BINARY = {"<", ">", "+", "-", "*", "/", "&", "|"}  # other things too, but between spaces only these
TYPES = {"struct", "enum", "union", "const", "static", "unsigned", "signed", "char", "short", "int", "long", "float",
         "double", "bool", "void", "size_t", "ssize_t", "va_list", "typedef", "extern", "cleanup"}
SPARED = {"assert", "static_assert", "_Static_assert"}
BEGINS = {"=", "return", "(", "[", ",", "?", ":", ";", "{", "}", "+=", "-=", "*=", "|=", "&="}  # of a condition


class Token:
    def __init__(self, kind, text, at):
        self.kind, self.text, self.at, self.end = kind, text, at, at + len(text)


class Mutant:
    """The source with source[at:end] replaced by `text`."""

    def __init__(self, path, source, function, at, end, text):
        text += "\n" * (source.count("\n", at, end) - text.count("\n"))  # assertions name their line
        self.path, self.function, self.at, self.end, self.text = path, function, at, end, text
        first = source.rfind("\n", 0, at) + 1
        last = source.find("\n", end)
        self.line = source.count("\n", 0, at) + 1
        self.old = " ".join(source[first:last].split())
        self.new = " ".join((source[first:at] + text + source[end:last]).split())
        self.key = (path, function, self.old, self.new)

    def apply(self, source):
        return source[:self.at] + self.text + source[self.end:]


def tokens_of(source):
    found = []
    for match in TOKENS.finditer(source):
        if match.lastgroup != "skip":
            found.append(Token(match.lastgroup, match.group(), match.start()))
    return found


def match_of(tokens, i):
    """The index of the bracket that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        depth += tokens[j].text in ("(", "[", "{") and tokens[j].kind == "operator"
        depth -= tokens[j].text in (")", "]", "}") and tokens[j].kind == "operator"
        if depth == 0:
            return j
    return len(tokens) - 1


def bodies(tokens):
    """The name and the first and last index of the body of each function."""
    i = 0
    name = None
    while i < len(tokens):
        text = tokens[i].text
        if text == "(":
            if i and tokens[i - 1].kind == "word" and tokens[i - 1].text != "__attribute__":
                name = tokens[i - 1].text
            i = match_of(tokens, i)
        elif text == "{":
            end = match_of(tokens, i)
            if tokens[i - 1].text == ")":
                yield name, i, end
            i = end
        i += 1


def is_spaced(source, token):
    return source[token.at - 1].isspace() and source[token.end].isspace()


def spared(tokens, first, last):
    """The indices of what is not broken: assertions."""
    indices = set()
    for i in range(first, last):
        if tokens[i].text in SPARED and tokens[i + 1].text == "(":
            indices.update(range(i, match_of(tokens, i + 1) + 1))
    return indices


def other_numbers(text):
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)", text)
    if not match:
        return []
    value = int(match.group(1), 0)
    return [str(value + 1) + match.group(2)] + ([str(value - 1) + match.group(2)] if value == 1 else [])


def of_token(source, tokens, i):
    """What the token at i may be instead."""
    token = tokens[i]
    if token.kind == "number":
        return other_numbers(token.text)
    if token.text == "!" and tokens[i + 1].text != "=":
        return [""]
    if token.text in BINARY and not is_spaced(source, token):
        return []
    return SWAPS.get(token.text, [])


def condition_before(tokens, i, first):
    """The index where the condition begins that the ? at i asks."""
    depth = 0
    for j in range(i - 1, first, -1):
        text = tokens[j].text
        if text in (")", "]", "}"):
            depth += 1
        elif depth and text in ("(", "[", "{"):
            depth -= 1
        elif depth == 0 and text in BEGINS:
            return j + 1
    return first + 1


def is_one_comparison(tokens, begin, end):
    """Whether to negate it is what another mutant of an operator does."""
    texts = {token.text for token in tokens[begin:end]}
    return not texts & {"&&", "||", "?"} and (tokens[begin].text == "!" or bool(texts & {"==", "!=", "<", "<=", ">", ">="}))


def conditions(tokens, first, last):
    """Each condition that is more than one comparison, as the positions at which it begins and ends."""
    for i in range(first, last):
        if tokens[i].kind == "word" and tokens[i].text in ("if", "while") and tokens[i + 1].text == "(":
            begin, end = i + 2, match_of(tokens, i + 1)
        elif tokens[i].text == "?":
            begin, end = condition_before(tokens, i, first), i
        else:
            continue
        if not is_one_comparison(tokens, begin, end):
            yield tokens[begin].at, tokens[end - 1].end, i


def is_declaration(tokens, i):
    text = tokens[i].text
    if text in TYPES or re.fullmatch(r"u?int\w*_t|[A-Z]\w*Criterion", text):
        return True
    return tokens[i].kind == "word" and tokens[i + 1].kind == "word" and text not in ("return", "goto", "else")


def statements(tokens, first, last):
    """The first and last index of each statement that ends with a semicolon and is no declaration."""
    starts = True
    i = first + 1
    while i < last:
        text = tokens[i].text
        if text in ("{", "}", ";", "else"):
            starts = True
            i += 1
            continue
        if text in ("if", "while", "for", "switch") or (tokens[i].kind == "word" and re.fullmatch(r"\w+_FOREACH", text)):
            i = match_of(tokens, i + 1) + 1
            starts = True
            continue
        if text in ("case", "default"):
            while tokens[i].text != ":":
                i += 1
            starts = True
            i += 1
            continue
        end = i
        while tokens[end].text != ";":
            end = match_of(tokens, end) + 1 if tokens[end].text in ("(", "[", "{") else end + 1
        if starts and not is_declaration(tokens, i):
            yield i, end
        i = end


def of_statement(tokens, i, end):
    """What may stand there instead of a statement: nothing, or another value that is returned."""
    if tokens[i].text == "return":
        is_value = end == i + 2 and (tokens[i + 1].kind == "number" or tokens[i + 1].text in ("true", "false"))
        return [] if end == i + 1 or is_value or tokens[i + 1].text == "NULL" else ["return 0;"]
    if tokens[i].text == "(" and tokens[i + 1].text == "void" and tokens[i + 4].text == ";":
        return []  # (void)unused;
    return [";"]


def mutants_of(path, source):
    tokens = tokens_of(source)
    for function, first, last in bodies(tokens):
        left_out = spared(tokens, first, last)
        for i in range(first, last):
            if i not in left_out:
                for text in of_token(source, tokens, i):
                    yield Mutant(path, source, function, tokens[i].at, tokens[i].end, text)
        for at, end, i in conditions(tokens, first, last):
            if i not in left_out:
                yield Mutant(path, source, function, at, end, "!(" + source[at:end] + ")")
        for i, end in statements(tokens, first, last):
            if i not in left_out:
                for text in of_statement(tokens, i, end):
                    yield Mutant(path, source, function, tokens[i].at, tokens[end].end, text)
