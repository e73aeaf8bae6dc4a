# SPDX-License-Identifier: Apache-2.0
"""The report of `make bench` as Markdown. Only modules of Debian's python3-minimal are used."""

MISSED = ": missed"


def number(value):
    """Three figures, or all of a whole number."""
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    return "{:.1f}".format(value) if abs(value) >= 10 else "{:.2f}".format(value)


def plain(name):
    return name.replace("_", " ")


def table(heads, rows):
    """The lines of a table whose columns line up; all but the first are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in [heads] + list(rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(heads))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    for row in [cells[0], rule] + cells[1:]:
        padded = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield ("| " + " | ".join(padded) + " |").rstrip()


def scratch(report):
    names = {"workspace": "membroker workspace", "bump": "bump pointer in a populated memfd",
             "workspace_called": "the workspace, by calls (MB_NO_INLINE)", "bump_called": "the bump pointer, by calls"}
    yield "A cycle of 200 allocations of 256 B to 4 MiB; the workspace has learned its size. Nanoseconds an allocation."
    yield ""
    yield from table(["", "pages touched", "not touched"], [
        (names.get(who, who), number(values["touched"]), number(values["untouched"]))
        for who, values in report["figures"]["scratch_ns"].items()])
    for malloc in report["mallocs_not_installed"]:
        yield malloc + " was not installed."


def buffers(report):
    whos = report["figures"]["buffers_ns"]
    sizes = [name for name in whos["tracked"] if name.startswith("ns_")]
    yield "A buffer is freed and another one is made. Nanoseconds a pair."
    yield ""
    yield from table(["bytes"] + list(whos), [
        ["{:,}".format(int(size[3:]))] + [number(whos[who][size]) for who in whos] for size in sizes])


def threads(report):
    yield "Each thread has a learned workspace of its own. Allocations a microsecond, all threads together."
    yield ""
    yield from table(["threads", "allocations"], [
        (name.rsplit("_", 1)[1], number(value)) for name, value in report["figures"]["threads_per_us"]["workspace"].items()])


def round_trip(report):
    trip = report["figures"]["round_trip_us"]
    broker, pool, kernel = trip["broker"], trip["pool"], trip["kernel"]
    yield "Acquire, map and release 1 MiB. Microseconds."
    yield ""
    yield from table(["", "not touched", "pages touched"], [
        ("membroker", number(broker["borrow"]), number(broker["borrow_touched"])),
        ("membroker, from its warm pool", number(pool["borrow"]), number(pool["borrow_touched"])),
        ("membroker, from the library's cache", number(broker["borrow_cached"]), number(broker["borrow_cached_touched"])),
        ("kernel: one round trip with a sealed memfd", number(kernel["borrow"]), number(kernel["borrow_touched"])),
        ("kernel: and a message that releases it", number(kernel["borrow_and_tell"]), ""),
        ("membroker: mb_ping()", number(broker["ping"]), ""),
        ("kernel: one message and its answer", number(kernel["ping"]), "")])
    yield ""
    yield "Of %d grants, %d came from the pool (fewer than 95 %% fail the benchmark). The pool saves the making of pages, so it" % (
        pool["hits"] + pool["misses"], pool["hits"])
    yield "pays if the memory is touched. If it is not touched the pool costs more: a warm segment's pages are mapped at the"
    yield "grant and freed at the release."


def first_touch(report):
    touch = report["figures"]["first_touch_ms"]
    yield "256 MiB. Milliseconds."
    yield ""
    yield from table(["", "ms"], [("%s: %s" % (name, plain(what)), number(value))
                                  for name, who in (("membroker", "broker"), ("kernel", "kernel"))
                                  for what, value in touch[who].items()])


def first_use(report):
    figures = report["figures"]["first_use_ms"]["all"]
    yield "1 GiB, until a byte of each page is written; they take turns. Milliseconds."
    yield ""
    yield from table(["", "ms"], [(way, number(figures[way])) for way in figures if way != "pool_hits"])


def freeing(report):
    figures = report["figures"]["status_while_freeing"]
    yield "The broker is asked for its status again and again while %.1f GiB are given back to the kernel." % (
        figures["bytes"] / 2**30)
    yield ""
    yield from table(["", ""], [(plain(name), number(figures[name])) for name in figures if name != "bytes"])


def scale(report):
    figures = report["figures"]["scale"]
    yield "1,000 sessions. The aim is at most twice the time with many leases, at most 1,024 bytes a lease, and a stall below"
    yield "50 ms."
    yield ""
    rows = [(title, number(figures[name + few]), number(figures[name + many]), "%.2f" % (figures[name + many] / figures[name + few]))
            for title, name, few, many in (
                ("broker: acquire and release, us", "acquire_us", "_100", "_many"),
                ("broker: renew a session, us", "renew_us", "_100", "_many"),
                ("core alone, 100,000 leases: acquire and release, ns", "core_acquire_ns", "_100", "_100000"),
                ("core alone, 100,000 leases: renew, ns a lease", "core_renew_ns", "_100", "_100000"))]
    yield from table(["", "100 leases", "{:,.0f} leases".format(figures["leases"]), "ratio"], rows)
    yield ""
    yield from table(["", ""], [
        ("daemon's memory, bytes a lease", number(figures["daemon_bytes_a_lease"])),
        ("core's memory, bytes a lease (100,000 leases)", number(figures["core_bytes_a_lease"])),
        ("longest stall while {:,.0f} leases expire at one instant, ms".format(figures["expired"]),
         number(figures["longest_stall_ms"])),
        ("until all are gone, ms", number(figures["expire_all_ms"])),
        ("core's longest step while 100,000 expire, us", number(figures["core_longest_step_us"])),
        ("core: until all are gone, ms", number(figures["core_expire_all_ms"]))])


def latency(report):
    yield "64 clients acquire and release 64 KiB without a pause; the kernel's memfd beside."
    yield ""
    yield from table(["", ""], [(plain(name), number(value)) for name, value in report["figures"]["latency"].items()])


def restart(report):
    figures = report["figures"]["restart"]
    names = {"acquire_us": "acquire and map 4 KiB, nothing kept, us", "acquire_kept_us": "the same, kept for a restart, us",
             "answering_ms": "the next daemon answers after, ms", "back_ms": "the client with all leases is back after, ms"}
    yield "`kill -9` of a daemon with {:,.0f} leases, under a stand-in for the service manager.".format(figures["leases"])
    yield ""
    yield from table(["", ""], [(names.get(name, plain(name)), number(figures[name])) for name in figures if name != "leases"])


LOADS = {
    "random_small": ("Small blocks in random order", "A random block of 64 B to 1 KiB is freed and another one made, beside 10,000 "
                     "and 100,000 live ones. Nanoseconds."),
    "random_large": ("Large blocks in random order", "A random block of 1 to 16 MiB is freed and another one made, beside 20 live "
                     "ones. Nanoseconds."),
    "larson": ("Threads that hand blocks on", "Two and eight threads replace blocks of 16 B to 1 KiB that other threads made. "
               "Nanoseconds a step."),
    "producer_consumer": ("Producer and consumer", "One thread makes blocks, another one frees them. Nanoseconds a block."),
    "zeroed": ("Zeroed memory", "A zeroed block of 100 MiB, after one that was written; it is not touched. Microseconds."),
    "resize": ("A growing block", "A block grows in 20 steps from 1 MiB to 100 MiB; a byte of each new page is written. "
               "Microseconds in all."),
    "memory_large": ("Memory of large blocks", "Bytes for each byte that was asked for, in a steady state of 256 MiB."),
    "memory_small": ("Memory of small blocks", "Bytes for each byte that was asked for, in a steady state of 64 MiB."),
    "memory_65": ("Memory of blocks of 65 bytes", "Bytes for each byte that was asked for, in a steady state of 32 MiB."),
}


def load(name):
    def lines(report):
        whos = report["figures"][name]
        yield LOADS[name][1]
        yield ""
        yield from table([""] + list(whos), [
            [plain(figure)] + ["" if figure.startswith("leased") and who != "tracked" else number(whos[who][figure]) for who in whos]
            for figure in whos["tracked"]])
    return lines


def sides(sentence):
    """A table with a column for each contestant, of the figures that any of them has."""
    def lines_of(group):
        def lines(report):
            whos = report["figures"][group]
            yield sentence
            yield ""
            names = list(dict.fromkeys(name for who in whos for name in whos[who]))
            yield from table([""] + [who.replace("broker", "membroker") for who in whos], [
                [plain(name)] + [number(whos[who][name]) if name in whos[who] else "" for who in whos] for name in names])
        return lines
    return lines_of


SIDES = {
    "round_trip_one_core_us": ("Round trips on one core", sides(
        "The same, with the client and the server on one core. Microseconds.")),
    "session": ("Sessions", sides("To connect, say hello and disconnect, in microseconds; memory in bytes.")),
    "throughput": ("Throughput", sides(
        "64 clients acquire and release 64 KiB without a pause. The kernel's server only makes, sends and truncates memfds. "
        "Borrows a second, and the server's processor time for one.")),
    "reuse_us": ("Reuse", sides(
        "A lease is acquired, a byte of each page written, and released: a new one, or the client's own released one with "
        "undefined content. Microseconds.")),
    "blocks_us": ("Published blocks", sides(
        "A block of another process is attached, a byte of each page read, and the view closed. The kernel's server answers a question "
        "with a descriptor; shm_open and shared_memory ask nobody. Microseconds.")),
    "blocks_one_core_us": ("Published blocks on one core", sides(
        "The same, with the reader and the server on one core, which no other core has to wake. Microseconds.")),
    "block_wakes_us": ("Waiting for a block", sides(
        "From the call of mb_block_publish(), and from its return, to the return of a mb_attach() that waited for the name (below "
        "zero: the reader had it before the publisher went on). A ping of another client while 1 GiB is published. The floor is "
        "the same among as many processes that only pass messages on, in turns with ours. Microseconds.")),
    "objects_ns": ("Small objects", sides(
        "100,000 objects of 32 bytes are looked up by name and copied out: one again and again, and all in random order. The table "
        "is the process's own. The memory's figures are what the machine takes to load one cache line of as many, each "
        "at an address that the one before tells (of two: of twice as much memory), and two lines, if a table of positions leads "
        "to each. Nanoseconds.")),
    "large_lease_ms": ("A large lease", sides("1 GiB. Milliseconds.")),
}

GROUPS = {"scratch_ns": ("Scratch loop", scratch), "buffers_ns": ("Tracked buffers", buffers),
          "threads_per_us": ("Threads", threads), "round_trip_us": ("Round trips", round_trip),
          "first_touch_ms": ("First touch", first_touch), "first_use_ms": ("First use", first_use),
          "status_while_freeing": ("Status while memory is freed", freeing), "scale": ("Scale", scale),
          "latency": ("Latency under load", latency), "restart": ("Restart", restart),
          **{name: (LOADS[name][0], load(name)) for name in LOADS},
          **{group: (title, lines(group)) for group, (title, lines) in SIDES.items()}}


def aim_of(report, name):
    if name in report.get("floors", {}):
        least = report["floors"][name]
        return "at least %.4g%s" % (least, MISSED if report["ratios"][name] < least else "")
    if name not in report["aims"]:
        return ""
    return "at most %.4g%s" % (report["aims"][name], MISSED if report["ratios"][name] > report["aims"][name] else "")


def ratios(report):
    yield "## Ratios"
    yield ""
    yield "Our time over theirs, within one run."
    yield ""
    yield from table(["", "median", "lowest", "highest", "aim"], [
        (name, "%.2f" % value, "%.2f" % report["ratios_spread"][name][0], "%.2f" % report["ratios_spread"][name][1],
         aim_of(report, name))
        for name, value in report["ratios"].items()])
    if report["best_malloc"]:
        yield ""
        yield "The best malloc on the untouched loop was %s." % report["best_malloc"]


def heading(report):
    machine = report["machine"]
    yield "# What was measured"
    yield ""
    yield "`make bench` wrote this at %s on %d CPUs (%s), %.0f GiB of memory, Linux %s, at a load of %.1f." % (
        report["date"], machine["cpus"], machine["cpu"], machine["memory_bytes"] / 2**30, machine["kernel"], machine["load"])
    yield "Figures are medians of %d runs, taken in turn; each run begins with another program." % report["runs"]
    yield "Absolute figures differ between machines, and on a loaded machine from hour to hour: compare within one table."


def markdown(report):
    """The lines of the whole document."""
    yield from heading(report)
    for group in report["figures"]:
        title, lines = GROUPS[group]
        yield from ["", "## " + title, ""]
        yield from lines(report)
        yield from ["", "    make bench BENCH_ONLY=" + group]
        for command in report["commands"].get(group, {}).values():
            yield "    " + command
    if report["ratios"]:
        yield ""
        yield from ratios(report)
