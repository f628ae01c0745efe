"""The REST API: who is calling, what they want, and how the business's answer looks over HTTP."""
