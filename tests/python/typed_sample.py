# SPDX-License-Identifier: Apache-2.0
"""What a program with types sees of the package; `make lint` checks it. An ignored error that is none fails, too."""

from __future__ import annotations

import asyncio
from typing import List, Optional

import membroker
import numpy


def leases(broker: membroker.Broker) -> int:
    with broker.acquire("1M", location=membroker.MMAP, ttl=5.0, name="rows", wait=1.5, progress=print) as lease:
        lease[0] = 7
        view: memoryview = lease.memory
        number: str = lease.id  # type: ignore[assignment]
        reason: str = lease.lost_because  # type: ignore[assignment]
        broker.acquire([1])  # type: ignore[arg-type]
        return len(view) + len(number) + len(reason)


def arrays(broker: membroker.Broker) -> "numpy.ndarray[object, numpy.dtype[numpy.float64]]":
    with broker.numpy(), broker.workspace("scratch", initial="1M", spill="grow") as workspace, workspace.numpy():
        made = broker.zeros((3, 4))
        made += workspace.ones(4)
        figures: membroker.WorkspaceFigures = workspace.figures
        text: str = figures.arrays  # type: ignore[assignment]
        buffer: membroker.Buffer = broker.buffer(len(text), zero=True)
        made[0, 0] = len(buffer.memory)
        return made


def blocks(broker: membroker.Broker) -> Optional[membroker.EndReason]:
    block: membroker.Block = broker.create_block((3, 4), "f4", lifetime="keep", keep=5.0, access="group", group="users")
    block.array[0] = 1
    block.publish(7)  # type: ignore[arg-type]
    broker.publish("rows", b"bytes", type="arrow-stream", replace=True, wait=1.5)
    number: str = broker.view("rows").number  # type: ignore[assignment]
    with broker.view(number, wait=5, user="alice") as view:
        read: memoryview = view.memory
        found: "numpy.ndarray[object, numpy.dtype[numpy.float64]]" = broker.attach("weights", wait=5.0)
        infos: List[membroker.BlockInfo] = broker.blocks()
        print(read[0], found.sum(), view.array.size, [info.lifetime.name for info in infos])
    broker.put("step", bytearray(3), lifetime="keep", access="group", group="users")
    step: bytes = broker.get("step", user="alice")
    words: str = broker.get("step")  # type: ignore[assignment]
    broker.remove(len(step) * words)
    try:
        broker.unpublish("rows")
    except membroker.BlockEnded as error:
        return error.reason
    except (membroker.NoSuchBlock, membroker.NameTaken, membroker.StillWritable):
        pass
    return None


def reports(broker: membroker.Broker) -> List[str]:
    status: membroker.Status = broker.status()
    limit: Optional[int] = status.limits.max_bytes
    sure: int = status.limits.max_bytes  # type: ignore[assignment]
    where: List[Optional[membroker.Location]] = [entry.location for entry in broker.why()]
    sure_place: List[membroker.Location] = [entry.location for entry in broker.why()]  # type: ignore[misc]
    units: List[str] = [entry.refusal.unit for entry in broker.why()]
    waiting: List[str] = [holder.name for entry in broker.why() for holder in entry.refusal.holders]
    names: List[int] = [session.name for session in broker.sessions()]  # type: ignore[misc]
    return waiting + units + [str(where), str(sure_place), str(limit), str(sure), str(names), broker.pressure.name]


def errors() -> Optional[int]:
    try:
        membroker.install_numpy(location=membroker.RAM)
    except membroker.LimitError as error:
        return error.free
    except (membroker.LeaseLost, membroker.BrokerConnectionError) as error:
        return error.errno
    return None


async def coroutine(broker: membroker.Broker) -> int:
    lease: membroker.Lease = await broker.acquire_async("1G", wait=60, name="rows")
    await broker.acquire_async("1G", nam="rows")  # type: ignore[call-arg]
    view: membroker.View = await broker.view_async("weights", wait=60, user="alice")
    await broker.attach_async("weights", name="x")  # type: ignore[misc]
    view.close()
    with lease:
        await asyncio.sleep(0)
        return len(lease)
