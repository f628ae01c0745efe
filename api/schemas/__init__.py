"""The shapes of requests and answers, by area: camelCase outside, the records' own names inside."""
