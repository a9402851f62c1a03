"""What findings become: anomalous days of one asset joined to one thing that went wrong with it."""
