"""A Random Cut Forest behind an Amazon SageMaker endpoint."""
