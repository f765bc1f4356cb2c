-- What happened around a customer: an asynchronous projection.

CREATE TABLE customer_timeline (
    tenant       TEXT   NOT NULL,
    customer     TEXT   NOT NULL,
    position     INTEGER NOT NULL,
    event_type   TEXT   NOT NULL,
    aggregate_id TEXT   NOT NULL,
    recorded_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, customer, position)
) STRICT, WITHOUT ROWID;
