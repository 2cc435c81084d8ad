"""Server processes: one parent that binds, starts, watches and restarts them (decision 0020)."""

from tollbridge.supervisor.listeners import bind
from tollbridge.supervisor.process import Post
from tollbridge.supervisor.service import tell_service
from tollbridge.supervisor.siblings import Siblings
from tollbridge.supervisor.supervisor import Pace, StartFailed, supervise

__all__ = ["Pace", "Post", "Siblings", "StartFailed", "bind", "supervise", "tell_service"]
