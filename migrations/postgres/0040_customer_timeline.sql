-- What happened around a customer: an asynchronous projection.

CREATE TABLE customer_timeline (
    tenant       TEXT   NOT NULL,
    customer     TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    event_type   TEXT   NOT NULL,
    aggregate_id TEXT   NOT NULL,
    recorded_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, customer, position)
);
