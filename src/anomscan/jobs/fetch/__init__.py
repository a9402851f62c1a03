"""Fetch: a source streamed into one commit of the store."""
