"""The topics of the tracked tables' rows."""

from benchmarks.models import Imageless, Tracked
from invalidation import track

track(Tracked, "list:{list_id}", "user:{assignee_id}")
track(Imageless, "list:{list_id}", "user:{assignee_id}", images=False)
