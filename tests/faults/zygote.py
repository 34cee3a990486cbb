"""Starts commands in forks of a process that has imported everything: cheap, and free to be killed.

Reads a line of JSON, a list of commands ``{"words", "folder", "start", "kill", "size"}``; starts
each `start` seconds after the line came, kills it `kill` seconds later (None: never), lets no file
it writes grow beyond `size` bytes (None: any); answers with the exit codes (-9 if killed), what
they said and how long they took.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from sfumato.cli.main import VERBS, make_app, run

make_app(list(VERBS))  # imports them all


def child(command, said):
    os.chdir(command["folder"])
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if command.get("size") is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (command["size"],) * 2)
    try:
        run(command["words"])
    except SystemExit as stopped:
        code = stopped.code
    except BaseException as error:  # a traceback for the user
        sys.stderr.write(f"Traceback {error!r}\n")
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def answer(commands, folder):
    began = time.monotonic()
    running, codes, took = {}, {}, {}
    while len(codes) < len(commands):
        now = time.monotonic() - began
        for number, command in enumerate(commands):
            start = command.get("start") or 0.0
            if number not in running and now >= start:
                pid = os.fork()
                if pid == 0:
                    child(command, folder / f"said-{number}")
                running[number] = pid
            if number not in running or number in codes:
                continue
            kill = command.get("kill")
            if kill is not None and now >= start + kill:
                os.kill(running[number], signal.SIGKILL)
            pid, status = os.waitpid(running[number], os.WNOHANG)
            if pid:
                codes[number] = os.waitstatus_to_exitcode(status)
                took[number] = now - start
        time.sleep(0.002)
    said = [(folder / f"said-{n}").read_text(errors="replace") for n in range(len(commands))]
    return [{"code": codes[n], "said": said[n], "seconds": took[n]} for n in range(len(commands))]


def reply(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main():
    folder = Path(sys.argv[1])
    reply("ready")
    for line in sys.stdin:
        reply(json.dumps(answer(json.loads(line), folder)))


if __name__ == "__main__":
    main()
