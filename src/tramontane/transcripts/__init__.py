"""The text of requests and answers, kept for a while where the operator has switched it on."""
