-- Orders by number: what an order has beyond other subscriptions.

CREATE TABLE orders (
    tenant       TEXT    NOT NULL,
    subscription TEXT    NOT NULL,
    number       TEXT    NOT NULL,
    customer     TEXT    NOT NULL,
    details      TEXT    NOT NULL,
    billing      TEXT    NOT NULL,
    position     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, subscription)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX orders_by_number ON orders (tenant, number);
CREATE INDEX orders_by_position ON orders (tenant, position);
CREATE INDEX orders_by_customer ON orders (tenant, customer, position);
