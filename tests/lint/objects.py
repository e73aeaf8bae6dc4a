# SPDX-License-Identifier: Apache-2.0
"""What object files define for others and need from them, as nm says."""
import subprocess


def symbols_of(path):
    """The symbols that an object file defines, and those that it needs."""
    defined, needed = set(), set()
    for line in subprocess.run(['nm', '-g', path], capture_output=True, text=True, check=True).stdout.splitlines():
        kind, name = line.split()[-2:]
        (needed if kind == 'U' else defined).add(name)
    return defined, needed


def uses_between(symbols):
    """For each name of {name: (defined, needed)}, the others that it uses, with the symbols that it uses of each."""
    home = {symbol: name for name, (defined, _) in symbols.items() for symbol in defined}
    used = {name: {} for name in symbols}
    for name, (_, needed) in symbols.items():
        for symbol in needed & home.keys():
            if home[symbol] != name:
                used[name].setdefault(home[symbol], set()).add(symbol)
    return used
