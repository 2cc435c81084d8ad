"""The queue as plain dicts and a clock that is a number: what the tables must agree with."""

from dataclasses import dataclass

from tollbridge.storage.queue import ATTEMPTS_MAX


@dataclass
class ModelJob:
    """One job; `token` is the holder and the attempt that may end it."""

    kind: str
    state: str
    run_at: float
    dedupe: str | None
    attempts: int = 0
    lease_until: float = 0
    token: tuple[int, int] | None = None


class QueueModel:
    """Jobs by the number in their payload."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: dict[int, ModelJob] = {}

    def enqueue(self, number: int, kind: str, in_s: float, dedupe: str | None) -> bool:
        alive = {job.dedupe for job in self.jobs.values()}
        if dedupe is not None and dedupe in alive:
            return False
        self.jobs[number] = ModelJob(kind, "ready", self.now + in_s, dedupe)
        return True

    def due(self, kinds: set[str]) -> set[int]:
        return {
            number
            for number, job in self.jobs.items()
            if job.kind in kinds
            and (
                (job.state == "ready" and job.run_at <= self.now)
                or (job.state == "running" and job.lease_until <= self.now)
            )
        }

    def buried(self, number: int) -> None:
        """Its lease ended once too often."""
        assert self.jobs[number].attempts >= ATTEMPTS_MAX
        self._die(self.jobs[number])

    def claimed(self, number: int, holder: int, lease_s: float) -> None:
        job = self.jobs[number]
        job.attempts += 1
        job.state, job.token = "running", (holder, job.attempts)
        job.lease_until = self.now + lease_s

    def holds(self, number: int, token: tuple[int, int]) -> bool:
        job = self.jobs.get(number)
        return job is not None and job.state == "running" and job.token == token

    def failed(self, number: int, run_at: float) -> str:
        job = self.jobs[number]
        if job.attempts >= ATTEMPTS_MAX:
            self._die(job)
            return "dead"
        job.state, job.run_at, job.token = "ready", run_at, None
        return "again"

    def worn(self, number: int) -> None:
        """One attempt is left to a waiting job."""
        self.jobs[number].attempts = ATTEMPTS_MAX - 1

    def given_back(self, number: int) -> None:
        job = self.jobs[number]
        job.state, job.token = "ready", None
        job.attempts -= 1

    def revive(self, number: int) -> bool:
        job = self.jobs.get(number)
        if job is None or job.state != "dead":
            return False
        job.state, job.attempts, job.run_at = "ready", 0, self.now
        return True

    def _die(self, job: ModelJob) -> None:
        job.state, job.dedupe, job.token = "dead", None, None
