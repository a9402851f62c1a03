"""A Random Cut Forest behind an endpoint of Amazon SageMaker."""
