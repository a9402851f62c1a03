"""Who is told of incidents: what is due stands in the ledger's outbox, and a sink a file takes it there."""
