"""One request's way to its answer: the request, its queue, its run."""
