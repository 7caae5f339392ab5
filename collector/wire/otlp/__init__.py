"""OpenTelemetry's traces (OTLP/HTTP) → `RunOperation`.

A body of either form (`protobuf`, `jsonbody`) is read span by span into one form (`spans`). `ids` says
which runs they are; `attributes`, `fields`, `messages`, `contents`, `usage` and `events` say what each
convention's attributes mean; `runs` makes an operation of a span, `decode` a request of a body, and
`answers` what the sender gets back.
"""
