"""Does the moves to the workers, one after the other, and says so."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from tests.crash.fleet import Fleet
from tests.crash.scenario import STOP_S, Action, Move

ROUGHLY_ONE_IN: Final = 4  # moves begin before everybody is ready again


async def run_moves(fleet: Fleet, moves: list[Action], seed: int, on_move: Callable[[float], None]) -> None:
    """All of them; then everybody is alive, though not necessarily ready.

    `on_move` is told before each which share of them will be done after it.
    """
    began_s = time.monotonic()
    dice = random.Random(seed)
    for number, action in enumerate(moves, 1):
        on_move(number / len(moves))
        if dice.randrange(ROUGHLY_ONE_IN):
            await fleet.whole()
        await asyncio.sleep(action.pause_s)  # the moment is the experiment, nothing is waited for
        elapsed_s = time.monotonic() - began_s
        print(f"{elapsed_s:6.1f} s  {number}/{len(moves)}  worker {action.worker}: {action.move}", flush=True)
        await _MOVES[action.move](fleet, action)


async def _kill(fleet: Fleet, action: Action) -> None:
    await fleet.kill(action.worker)
    fleet.start(action.worker)


async def _kill_again(fleet: Fleet, action: Action) -> None:
    await _kill(fleet, action)
    await asyncio.sleep(action.second_pause_s)
    await _kill(fleet, action)


async def _kill_other(fleet: Fleet, action: Action) -> None:
    other = 1 - action.worker
    await _kill(fleet, action)
    await asyncio.sleep(action.second_pause_s)
    await fleet.kill(other)
    fleet.start(other)


async def _kill_both(fleet: Fleet, action: Action) -> None:
    await fleet.kill(0, 1)
    fleet.start(action.worker)
    fleet.start(1 - action.worker)


async def _stop(fleet: Fleet, action: Action) -> None:
    await fleet.stop(action.worker)
    await asyncio.sleep(STOP_S)
    fleet.workers[action.worker].resume()


async def _stop_and_kill(fleet: Fleet, action: Action) -> None:
    other = 1 - action.worker
    await fleet.stop(action.worker)
    await asyncio.sleep(STOP_S / 2 + action.second_pause_s)
    await fleet.kill(other)
    fleet.start(other)
    await asyncio.sleep(STOP_S / 2 - action.second_pause_s)
    fleet.workers[action.worker].resume()


_MOVES: Final = {
    Move.KILL: _kill,
    Move.KILL_AGAIN: _kill_again,
    Move.KILL_OTHER: _kill_other,
    Move.KILL_BOTH: _kill_both,
    Move.STOP: _stop,
    Move.STOP_AND_KILL: _stop_and_kill,
}
