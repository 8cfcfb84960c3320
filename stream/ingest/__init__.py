"""Bytes to columns, or to rejections: the one place where a message is not trusted.

    decode.py          Decoder: a MessageBatch becomes a PredictionBatch; read this first
    two_routes.py      what both decoders do alike: a batch through the routes, and what became of each message
    routes.py          how messages and elements of arrays find their route
    typed_rows.py      the fast route: well-formed rows straight into columns
    careful_rows.py    the slow route: every rule, one row at a time; alone it refuses
    labels.py          LabelDecoder: a MessageBatch becomes a LabelBatch, by typed_labels.py and careful_labels.py
    envelope.py        what both kinds of messages say alike: model, version, time
    typed_json.py      bytes to msgspec structs for the fast routes, as strictly as for the slow ones
    json_text.py       bytes to a JSON value, or why they are none
    class_scores.py    `scores` of a multiclass model to one number per class
    segment_values.py  `segment` to a code for each field that is read
    id_hash.py         `prediction_id` to 64 bits
    event_time.py      `ts` to milliseconds, or why it is no time
    foreign_shape.py   other producers' messages, read through paths and constants
    assemble.py        rows of both routes, back in log order
    countable.py       what counting would take of one model version, as it came
    feature_looks.py   one row in 64, read once more for the names of its features
    value_codes.py     values of a feature that nobody has described, in bins
    settings.py        what the operator can set

Pure: numpy, msgspec, orjson. The rules, as users read them: docs/predictions.md.
"""
