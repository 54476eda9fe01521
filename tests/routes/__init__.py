"""The doors, behind an API Gateway and over an AWS in this process."""
