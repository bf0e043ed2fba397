"""`eisenmp ps|map|reload|drain|scale|logs|stop`: managers with servers, through their control sockets."""

from __future__ import annotations

import json
import os
import signal
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import EisenmpError
from ..manager.control import ask_path, follow_path, sockets
from .exitcodes import DONE, FAILED
from .failure import Refusal, report

Name = Annotated[
    str | None, Parameter(help="The manager, as `eisenmp ps` calls it, where there are several.")
]
Json = Annotated[bool, Parameter(name="--json", help="As JSON.", negative="", show_default=False)]


def ps(*, as_json: Json = False) -> int:
    """List the managers of this user that have servers."""
    found = _managers()
    if as_json:
        print(json.dumps([manager for _, manager in found]))
        return DONE
    for _, manager in found:
        print(
            f"{manager['name']}  pid {manager['pid']}  {manager['serving']} of {manager['slots']} slots serve"
        )
    return DONE


def show_map(
    name: Name = None,
    /,
    *,
    as_json: Json = False,
    nginx: Annotated[bool, Parameter(help="As upstream blocks of nginx.", negative="")] = False,
    prometheus: Annotated[bool, Parameter(help="As a target list for file_sd.", negative="")] = False,
) -> int:
    """Show which slot is where: state, pid, cores and addresses."""
    answer = _ask(name, {"command": "map"})
    if isinstance(answer, int):
        return answer
    slots = answer["slots"]
    if as_json:
        print(json.dumps(slots))
    elif nginx:
        print(_nginx(slots))
    elif prometheus:
        print(json.dumps(_prometheus(slots)))
    else:
        for slot in slots:
            cores = ",".join(map(str, slot["cores"])) or "any"
            print(
                f"{slot['name']}  {slot['state']}  pid {slot['pid'] or '-'}  core {cores}  "
                f"{' '.join(slot['listens'])}  restarts {slot['restarts']}"
            )
    return DONE


def reload(
    group: Annotated[str | None, Parameter(help="A port group; all without it.")] = None,
    /,
    *,
    canary: Annotated[
        float | None, Parameter(help="Replace one slot, and give it this share of a shared port.")
    ] = None,
    name: Name = None,
) -> int:
    """Replace the processes of a group, one slot after the other, without a lost request."""
    answer = _ask(name, {"command": "reload", "group": group, "canary": canary})
    if isinstance(answer, int):
        return answer
    print(f"reloaded {' '.join(answer['reloaded'])}")
    return DONE


def drain(slot: Annotated[str, Parameter(help="A slot, such as blue/0.")], /, *, name: Name = None) -> int:
    """Let a slot end its requests and stop; `eisenmp scale` starts it again."""
    return _said(_ask(name, {"command": "drain", "slot": slot}))


def scale(
    group: Annotated[str, Parameter(help="A port group.")],
    slots: Annotated[int, Parameter(help="How many slots it is to have.")],
    /,
    *,
    name: Name = None,
) -> int:
    """Have so many slots in a group."""
    return _said(_ask(name, {"command": "scale", "group": group, "slots": slots}))


def logs(
    slot: Annotated[str | None, Parameter(help="A slot, such as blue/0; all of them with -f.")] = None,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), help="Go on with what is written from now on.", negative="")
    ] = False,
    name: Name = None,
) -> int:
    """Show the last lines of a slot's process, also of one that has ended."""
    if follow:
        return _follow(slot, name)
    if slot is None:
        return report(Refusal("of which slot? Name it, or follow all of them with -f"))
    answer = _ask(name, {"command": "logs", "slot": slot})
    if isinstance(answer, int):
        return answer
    for line in answer["lines"]:
        print(line)
    return DONE


def _follow(slot: str | None, name: str | None) -> int:
    try:
        path, _ = _one(name)
        for line in follow_path(path, slot):
            print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        return report(Refusal(f"the manager has ended: {error.strerror}", FAILED))
    except EisenmpError as error:
        return report(Refusal(str(error), FAILED))
    except Refusal as error:
        return report(error)
    return DONE


def stop(name: Name = None, /) -> int:
    """Stop a manager: running requests may end."""
    _, manager = _one(name)
    os.kill(manager["pid"], signal.SIGTERM)
    return DONE


def _managers() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sockets():
        answer = ask_path(path, {"command": "ps"})
        if answer is not None and "pid" in answer:
            found.append((path, answer))
    return found


def _one(name: str | None) -> tuple[str, dict[str, Any]]:
    found = [each for each in _managers() if name in (None, each[1]["name"])]
    if len(found) == 1:
        return found[0]
    names = ", ".join(manager["name"] for _, manager in found)
    if found:
        raise Refusal(f"which manager? There are {names}")
    raise Refusal("no manager with servers runs" if name is None else f"no manager {name!r} runs")


def _ask(name: str | None, request: dict[str, Any]) -> dict[str, Any] | int:
    """The answer, or the exit code after the error was said."""
    try:
        path, _ = _one(name)
        answer = ask_path(path, request)
        if answer is None:
            raise Refusal("the manager has ended", FAILED)
        if "error" in answer:
            raise Refusal(answer["error"], FAILED)
    except Refusal as error:
        return report(error)
    return answer


def _said(answer: dict[str, Any] | int) -> int:
    return answer if isinstance(answer, int) else DONE


def _nginx(slots: list[dict[str, Any]]) -> str:
    blocks = []
    for group in dict.fromkeys(slot["group"] for slot in slots):
        places = dict.fromkeys(place for slot in slots if slot["group"] == group for place in slot["listens"])
        lines = "".join(f"    server {place};\n" for place in places)
        blocks.append(f"upstream {group} {{\n{lines}}}")
    return "\n".join(blocks)


def _prometheus(slots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"targets": slot["listens"], "labels": {"group": slot["group"], "slot": slot["name"]}}
        for slot in slots
    ]
