"""PredictStream: one call for any number of requests, each of which gets an answer or an error."""
