"""Why requests can't be answered: the reasons of all RequestErrors."""

from collections.abc import Mapping

from server.reasons.content import CONTENT, ContentReason
from server.reasons.course import COURSE, CourseReason
from server.reasons.reason import Reason

RequestReason = ContentReason | CourseReason

REQUESTS: Mapping[RequestReason, Reason] = dict[RequestReason, Reason](
    [*CONTENT.items(), *COURSE.items()]
)
"""All reasons of `mlpserve_rejected_requests_total`, each of which is there from the start."""
