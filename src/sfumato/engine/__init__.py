"""How the parts of a job are run: compiled programs, threads, one `map` over parts."""

from sfumato.engine.threads import alone as alone
from sfumato.engine.threads import map as map
