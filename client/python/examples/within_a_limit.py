# SPDX-License-Identifier: Apache-2.0
"""
Standardizes the columns of a data set in as large pieces as the broker grants.

A piece and the temporaries of its expression must fit the limit together. How many bytes that is, the program need not
know: it halves the piece when the broker refuses one, and goes on where it was.

    python3 within_a_limit.py [ROWS]
"""

import sys

import membroker
import numpy

COLUMNS = 32


def measure(start, stop):
    """Rows of a data set that somebody else would read from a disk."""
    row = numpy.arange(start, stop, dtype=float)[:, None]
    return (row * 37 + numpy.arange(COLUMNS) * 11) % 1009


def in_pieces(rows, function):
    """function(start, stop) of all rows, in pieces that fit. Returns the results and the rows of a piece."""
    results, start, piece = [], 0, rows
    while start < rows:
        stop = min(start + piece, rows)
        try:
            results.append(function(start, stop))
        except membroker.LimitError as refused:
            if piece == 1:
                raise
            piece = (piece + 1) // 2
            print(f"the {refused.whose}'s {refused.limit} is reached: pieces of {piece} rows")
        else:
            start = stop
    return results, piece


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with membroker.connect(name="within_a_limit", max_physical="16M") as broker, broker.numpy():
        sums, piece = in_pieces(rows, lambda start, stop: measure(start, stop).sum(axis=0))
        mean = sum(sums) / rows
        squares, _ = in_pieces(rows, lambda start, stop: ((measure(start, stop) - mean) ** 2).sum(axis=0))
        deviation = numpy.sqrt(sum(squares) / rows)
        print(f"{rows} rows in pieces of {piece}: mean {mean.mean():.2f}, deviation {deviation.mean():.2f}")


if __name__ == "__main__":
    main()
